"""E.4: what of CCF's governance API is there."""

PATH = "/gov/service/join-policy"
VERSIONS = ("2023-06-01-preview", "2024-07-01")


def run(t):
    get = t.main.get
    own = get("/node/attestations/self").json
    measurement = bytes.fromhex(own["measurement"]).decode()
    for version in VERSIONS:
        answer = get(f"{PATH}?api-version={version}")
        t.equal(f"the join policy in {version}",
                [answer.status, answer.type, answer.txid is not None, sorted(answer.json)],
                [200, "application/json", True, ["sgx", "snp", "virtual"]])
    policy = answer.json
    t.equal("nodes like the first may join", policy["virtual"]["measurements"], [measurement])
    t.equal("with its host data", [len(item) for item in policy["virtual"]["hostData"]], [64])
    t.equal("no guest of SEV-SNP may", policy["snp"], {
        "hostData": {}, "measurements": [], "tcbVersions": {}, "uvmEndorsements": {}})
    t.equal("nor of SGX", policy["sgx"], {"measurements": []})
    t.equal("the version is mandatory", get(PATH).brief, [400, "MissingApiVersionParameter"])
    other = get(f"{PATH}?api-version=1999-12-31")
    t.equal("another version", other.brief, [400, "UnsupportedApiVersionValue"])
    t.equal("the refusal lists those there are", all(v in other.text for v in VERSIONS), True)
