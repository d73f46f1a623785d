"""Attacks by what is answered, and by exceptions."""

from __future__ import annotations

import enum
import math
from typing import Any

import ccf
from attacks import attack

INTERNAL = "InternalError"


def answers(name: str, value: Any, *statuses: int, says: str = "") -> None:
    """An attack that answers with a value."""

    def function(request: Any) -> Any:
        return value() if callable(value) else value

    function.__name__ = name
    attack(*(statuses or (500,)), says=says)(function)


def spin(*_arguments: Any) -> Any:
    while True:
        pass


def fail(*_arguments: Any) -> Any:
    raise ValueError("hostile")


class Failing:
    __str__ = __repr__ = __iter__ = __len__ = __bool__ = __eq__ = __hash__ = __int__ = fail
    __index__ = __float__ = __getattr__ = __getitem__ = __contains__ = __bytes__ = fail  # type: ignore


class Spinning:
    __str__ = __repr__ = __iter__ = __len__ = __bool__ = __eq__ = __hash__ = __int__ = spin
    __index__ = __float__ = __getattr__ = __getitem__ = __contains__ = __bytes__ = spin  # type: ignore


class LyingDict(dict):  # type: ignore[type-arg]
    __len__ = __getitem__ = __iter__ = __contains__ = items = keys = values = get = fail  # type: ignore


class LyingList(list):  # type: ignore[type-arg]
    __len__ = __getitem__ = __iter__ = __contains__ = fail


class LyingStr(str):
    __str__ = __repr__ = __len__ = encode = lower = fail  # type: ignore[assignment]


class LyingInt(int):
    __str__ = __repr__ = __index__ = __int__ = __eq__ = __lt__ = fail  # type: ignore[assignment]


class SpinningInt(int):
    __str__ = __repr__ = __index__ = __int__ = spin


class Number(enum.IntEnum):
    ONE = 1


class LyingClass:
    __class__ = dict  # type: ignore[assignment]


class Changing(int):
    """Changes the dict that it is in."""

    headers: dict[str, Any] = {}

    def __str__(self) -> str:
        for number in range(100):
            self.headers[f"x-{number}"] = 1
        return "1"


def changing() -> Any:
    Changing.headers = {"a": Changing(), "b": Changing()}
    return {"headers": Changing.headers}


answers("answers_an_object", object)
answers("answers_a_generator", lambda: (x for x in iter(int, 1)))
answers("answers_a_class", lambda: dict, 500)
answers("answers_a_set", {1, 2})
answers("answers_nan", {"body": math.nan})
answers("answers_infinity", [math.inf])
answers("answers_surrogates", "\ud800")
answers("answers_surrogates_in_json", {"\udfff": "\ud800"})
answers("answers_keys_of_int", {1: 2})
answers("answers_keys_of_all_kinds", {None: 1, (): 2, b"": 3})
answers("answers_a_huge_integer", lambda: {"body": {"n": 10**5000}}, 200, 500)
answers("answers_a_failing_object", Failing)
answers("answers_a_spinning_object", Spinning)
answers("answers_a_failing_item", lambda: [Failing()])
answers("answers_a_spinning_item", lambda: [Spinning()])
answers("answers_a_failing_status", lambda: {"status_code": Failing()})
answers("answers_a_spinning_status", lambda: {"status_code": Spinning()})
answers("answers_a_failing_header", lambda: {"headers": {"a": Failing()}})
answers("answers_a_spinning_header", lambda: {"headers": {"a": SpinningInt(1)}}, 200, 500)
answers("answers_failing_headers", lambda: {"headers": Failing()})
answers("answers_a_lying_dict", lambda: LyingDict(a=1), 200)
answers("answers_a_lying_list", lambda: LyingList([1]), 200)
answers("answers_a_lying_str", lambda: LyingStr("x"), 200)
answers("answers_a_lying_int", lambda: [LyingInt(1), Number.ONE], 200, 500)
answers("answers_a_lying_huge_int", lambda: [LyingInt(1 << 70)], 200, 500)
answers("answers_a_lying_class", LyingClass)
answers("answers_changing_headers", changing, 200, 500)
answers("answers_a_status_of_99", {"status_code": 99}, says="99")
answers("answers_a_status_of_1000", {"status_code": 1000}, says="1000")
answers("answers_a_huge_status", {"status_code": 1 << 100})
answers("answers_a_negative_status", {"status_code": -200})
answers("answers_a_status_of_text", {"status_code": "200"})
answers("answers_a_status_of_bool", {"status_code": True})
answers("answers_a_status_of_float", {"status_code": 200.5})
answers("answers_an_empty_tuple", ())
answers("answers_a_long_tuple", tuple(range(10_000)))
answers("answers_a_tuple_of_nothing", (None, None, None), 200, 204)
answers(
    "answers_many_headers", {"headers": {f"x-{n}": "1" for n in range(1_000_000)}}, says="at most"
)
answers("answers_a_split_header", {"headers": {"a": "b\r\nset-cookie: x=y"}})
answers("answers_a_split_name", {"headers": {"a: b\r\nset-cookie": "x"}})
answers("answers_a_header_of_nothing", {"headers": {"": ""}})
answers("answers_a_header_of_zero", {"headers": {"a": "\0"}})
answers("answers_a_header_of_int_names", {"headers": {1: "1"}})
answers("answers_a_header_of_bytes", {"headers": {"a": b"1"}})
answers("answers_a_header_of_surrogates", {"headers": {"a": "\udc80"}})
answers("answers_a_long_header", {"headers": {"a": "b" * (1 << 15)}}, 200)
answers("answers_a_longer_header", {"headers": {"a": "b" * (1 << 24)}})
answers("answers_headers_in_a_list", {"headers": [("a", "b")]})
answers("answers_its_length", {"headers": {"content-length": "5"}, "body": "x"}, 200, 500)
answers("answers_its_coding", {"headers": {"transfer-encoding": "chunked"}, "body": "x"}, 200, 500)
answers("answers_an_upgrade", {"headers": {"connection": "upgrade", "upgrade": "x"}}, 200, 500)
answers("answers_a_switch", {"status_code": 101}, 101, 500)
answers("answers_a_body_for_204", lambda: ("x" * 1000, 204), 204, 500)
answers("answers_a_body_for_304", lambda: ("x" * 1000, 304), 304, 500)
answers("answers_200_megabytes", lambda: bytes(200_000_000), 200, 500)
answers("answers_a_module", lambda: ccf)
answers("answers_the_request", lambda: ccf.request)
answers("answers_the_maps", lambda: ccf.kv)
answers("answers_a_view", lambda: memoryview(b"x"), 200)


class Quiet(Exception):
    def __init__(self, says: Any) -> None:
        super().__init__()
        self.says = says

    def __str__(self) -> str:
        return str(self.says())

    __repr__ = __str__


class SpinningAttributes(Exception):
    def __getattribute__(self, name: str) -> Any:
        spin()


class SpinningClass(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return bool(spin())

    def __subclasscheck__(cls, other: type) -> bool:
        return bool(spin())


class OfSpinningClass(Exception, metaclass=SpinningClass):
    pass


class Paid(ccf.HTTPError):
    """Derived, as apps do it."""

    def __init__(self) -> None:
        super().__init__(402, "Pay first.", "PaymentRequired")


class LyingHTTPError(ccf.HTTPError):
    status = property(spin, lambda *_: None)  # type: ignore[assignment]


class HTTPError(Exception):
    """Only called so."""

    status = 200
    code = "x"
    message = "x"


def raising(name: str, make: Any, *statuses: int, says: str = "") -> None:
    """An attack that raises something."""

    def function(request: Any) -> Any:
        raise make()

    function.__name__ = name
    attack(*(statuses or (500,)), says=says)(function)


def chained() -> BaseException:
    error: BaseException | None = None
    for number in range(10_000):
        following = ValueError(number)
        following.__cause__ = error
        error = following
    return error or ValueError()


def circular() -> BaseException:
    one, other = ValueError(1), ValueError(2)
    one.__cause__, other.__cause__ = other, one
    return one


def grouped() -> BaseException:
    group: Any = ValueError("inner")
    for _ in range(500):
        group = ExceptionGroup("group", [group, ValueError("beside")])
    return group  # type: ignore[no-any-return]


def annotated() -> BaseException:
    error = ValueError("annotated")
    error.__notes__ = Failing()  # type: ignore[assignment]
    return error


raising("raises_what_fails_to_speak", lambda: Quiet(fail), says=INTERNAL)
raising("raises_what_spins_to_speak", lambda: Quiet(spin), says=INTERNAL)
raising("raises_what_says_no_text", lambda: Quiet(lambda: "\ud800"), says=INTERNAL)
raising("raises_what_says_much", lambda: Quiet(lambda: "x" * 100_000_000), says=INTERNAL)
raising("raises_what_exits_to_speak", lambda: Quiet(exit), says=INTERNAL)
raising("raises_spinning_attributes", SpinningAttributes, says=INTERNAL)
raising("raises_of_a_spinning_class", OfSpinningClass, says=INTERNAL)
raising("raises_a_long_chain", chained, says=INTERNAL)
raising("raises_a_circle", circular, says="ValueError")
raising("raises_a_deep_group", grouped, says=INTERNAL)
raising("raises_with_failing_notes", annotated, says=INTERNAL)
raising("raises_a_derived_answer", Paid, 402, says="PaymentRequired")
raising("raises_a_lying_answer", lambda: LyingHTTPError(400, "x"), says=INTERNAL)
raising("raises_what_is_called_so", HTTPError, says=INTERNAL)
raising("raises_no_exception", lambda: 1, says="TypeError")
raising("raises_a_secret", lambda: ValueError("-" * 5 + "BEGIN PRIVATE KEY"), says=INTERNAL)
