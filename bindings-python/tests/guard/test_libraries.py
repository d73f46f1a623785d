"""Well-known libraries do real work under the default policy."""

from __future__ import annotations

import importlib.util

import pytest
from guarded import run

WORK = {
    "numpy": (
        "import numpy as np\na = np.arange(9.0).reshape(3, 3) + np.eye(3)\n"
        "print(round(float(np.linalg.det(a)), 6), np.linalg.solve(a, [1, 2, 3]).shape)\n"
        "print(np.random.default_rng(1).normal(size=5).shape, np.fft.fft([1, 2]).sum(), a.ctypes.data > 0)"
    ),
    "pandas": (
        "import io, pandas as pd\nd = pd.read_csv(io.StringIO('a,b\\n1,x\\n2,y\\n3,x'))\n"
        "print(d.groupby('b').a.sum().to_dict(), \n"
        "    pd.to_datetime(['2026-01-02']).tz_localize('Europe/Berlin')[0])\n"
        "print(d.to_json(), d.describe().loc['mean', 'a'], d.to_csv(index=False))"
    ),
    "scipy": (
        "from scipy import optimize, stats, sparse, linalg, integrate\n"
        "print(optimize.minimize(lambda x: (x[0] - 3) ** 2, [0.0]).x[0], stats.norm.cdf(0.0))\n"
        "print(sparse.eye(3).toarray().sum(), linalg.inv([[2.0]])[0, 0],\n    "
        "integrate.quad(lambda x: x, 0, 1)[0])"
    ),
    "sklearn": (
        "from sklearn.datasets import make_classification, load_iris\n"
        "from sklearn.ensemble import RandomForestClassifier\nfrom sklearn.cluster import KMeans\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.model_selection import cross_val_score\nimport pickle\n"
        "x, y = make_classification(200, random_state=1)\n"
        "m = RandomForestClassifier(10, random_state=1, n_jobs=2).fit(x, y)\n"
        "print(m.score(x, y) > 0.9, KMeans(2, n_init=2).fit(x).n_iter_ > 0, load_iris().data.shape)\n"
        "print(cross_val_score(LogisticRegression(), x, y).mean() > 0.5)\n"
        "print(pickle.loads(pickle.dumps(m)).predict(x[:1]).shape)"
    ),
    "pydantic": (
        "import datetime, pydantic\n"
        "class M(pydantic.BaseModel):\n    a: int\n    t: datetime.datetime\n"
        'print(M.model_validate_json(\'{"a": 1, "t": "2026-01-01T00:00:00Z"}\').model_dump_json())\n'
        "print(M.model_json_schema()['title'])"
    ),
    "cryptography": (
        "from cryptography import x509\nfrom cryptography.hazmat.primitives import hashes, serialization\n"
        "from cryptography.hazmat.primitives.asymmetric import ec\nfrom cryptography.fernet import Fernet\n"
        "k = ec.generate_private_key(ec.SECP384R1())\ns = k.sign(b'x', ec.ECDSA(hashes.SHA384()))\n"
        "k.public_key().verify(s, b'x', ec.ECDSA(hashes.SHA384()))\n"
        "f = Fernet(Fernet.generate_key())\nprint(f.decrypt(f.encrypt(b'm')))"
    ),
    "flask": (
        "import flask\napp = flask.Flask(__name__)\n"
        "@app.post('/x')\ndef x():\n    return {'got': flask.request.get_json()['a']}\n"
        "@app.get('/t')\ndef t():\n    return flask.render_template_string('{{ a|upper }}', a='b')\n"
        "@app.get('/e')\ndef e():\n    return 1 / 0\n"
        "c = app.test_client()\n"
        "print(c.post('/x', json={'a': 5}).json, c.get('/t').text, c.get('/e').status_code)"
    ),
    "fastapi": (
        "import asyncio, fastapi, json\napp = fastapi.FastAPI()\n"
        "@app.get('/sync/{n}')\ndef sync(n: int):\n    return {'n': n}\n"
        "@app.get('/async/{n}')\nasync def later(n: int):\n    return {'n': n + 1}\n"
        "async def call(path):\n    sent = []\n"
        "    async def receive():\n        return {'type': 'http.request', 'body': b''}\n"
        "    async def send(message):\n        sent.append(message)\n"
        "    await app({'type': 'http', 'method': 'GET', 'path': path, 'raw_path': path.encode(),\n"
        "        'query_string': b'', 'headers': [], 'asgi': {'version': '3.0'}, 'http_version': '1.1',\n"
        "        'scheme': 'https', 'server': None, 'client': None, 'root_path': ''}, receive, send)\n"
        "    return sent[0]['status'], json.loads(sent[1]['body'])\n"
        "print(asyncio.run(call('/sync/4')), asyncio.run(call('/async/4')))\n"
        "print(asyncio.run(call('/sync/x'))[0], '/sync/{n}' in app.openapi()['paths'])"
    ),
}
PRINTED = {
    "numpy": ["(5,)"],
    "pandas": ["{'x': 4, 'y': 2} 2026-01-02 00:00:00+01:00"],
    "scipy": ["0.5"],
    "sklearn": ["True True (150, 4)", "(1,)"],
    "pydantic": ['{"a":1,"t":"2026-01-01T00:00:00Z"}', "M"],
    "cryptography": ["b'm'"],
    "flask": ["{'got': 5} B 500"],
    "fastapi": ["(200, {'n': 4}) (200, {'n': 5})", "422 True"],
}


@pytest.mark.parametrize("name", WORK)
def test_a_library_works_under_the_default_policy(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed here: pip install it to run this")
    done = run(WORK[name]).passed()
    for line in PRINTED[name]:
        assert line in done.out, (done.out, done.err)
