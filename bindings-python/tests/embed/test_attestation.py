"""Evidence of the platform: a ledger's own, and checking somebody else's."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import affiant
import ccf
import pytest

FIXTURES = Path(__file__).resolve().parents[4] / "shared" / "fixtures" / "snp"
DID = (
    "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2"
)
verify = ccf.snp_attestation.verify_snp_attestation


def bound(evidence: dict[str, Any]) -> dict[str, Any]:
    """What evidence says it is bound to, if it is."""
    said = base64.b64decode(evidence["bound"])
    raw = json.loads(base64.b64decode(evidence["raw"]))
    assert base64.b64decode(raw["report_data"]) == hashlib.sha256(said).digest()
    statement: dict[str, Any] = json.loads(said)
    assert list(statement) == ["affiant", "node_public_key", "service_identity", "bound"]
    return statement


def test_a_ledger_has_evidence_that_says_it_is_virtual() -> None:
    with affiant.open() as ledger, ledger.tx():
        evidence = ccf.get_attestation()
        assert evidence["format"] == "Insecure_Virtual"
        assert sorted(evidence) == ["bound", "endorsements", "format", "raw"]
        own = bound(evidence)
        assert (own["affiant"], own["bound"]) == ("app", "")
        for given in (b"d\xff", bytearray(b"d\xff"), memoryview(b"d\xff")):
            again = bound(ccf.get_attestation(given))
            assert base64.b64decode(again["bound"]) == b"d\xff"
            assert again["node_public_key"] == own["node_public_key"]
        text = "d\u00e4ta"
        of_text = bound(ccf.get_attestation(text))
        assert base64.b64decode(of_text["bound"]) == text.encode()
        assert bound(ccf.get_attestation(bytes(65536)))
        assert ccf.get_attestation(bound=b"x") == ccf.get_attestation(b"x"), "for a moment"
        assert ccf.CCFPythonRuntime().get_attestation(b"x") == ccf.get_attestation(b"x")
        with pytest.raises(ValueError, match="more than 65536 bytes"):
            ccf.get_attestation(bytes(65537))
        with pytest.raises(TypeError, match="bound must be str or bytes, not int"):
            ccf.get_attestation(7)  # type: ignore[arg-type]


def test_evidence_is_refused_by_who_wants_hardware() -> None:
    with affiant.open() as ledger, ledger.tx():
        evidence = ccf.get_attestation(b"x")
    verdict = affiant.verify_evidence(json.dumps(evidence), {})
    assert not verdict.trusted
    assert any("virtual evidence" in check.reason for check in verdict.failed)


def test_outside_of_a_transaction_there_is_no_node() -> None:
    with pytest.raises(ccf.NoTransactionError):
        ccf.get_attestation()


@pytest.fixture
def read() -> Callable[[str], bytes]:
    if not FIXTURES.is_dir():
        pytest.skip(f"no SNP evidence in {FIXTURES}")
    return lambda name: (FIXTURES / name).read_bytes()


def test_genuine_evidence_has_ccf_s_result(read: Callable[[str], bytes]) -> None:
    report = read("aci-milan/snp_report.bin")
    chain = read("aci-milan/uvm_host_amd_certificate.pem")
    uvm = read("aci-milan/body.uvm_reference_info.bin")
    seen = verify(report, chain, uvm, "7308000000000003")
    assert seen == verify(bytearray(report), memoryview(chain), uvm, "0300000000000873")
    assert seen["uvm_endorsements"] == {"did": DID, "feed": "ContainerPlat-AMD-UVM", "svn": "22"}
    shown = seen["attestation"]
    assert len(shown) == 32
    assert shown["plaform_info"] == shown["platform_info"] == {"smt_en": 1, "tsme_en": 0}
    assert (shown["version"], shown["cpuid_fam_id"], shown["vmpl"]) == (2, 0, 0)
    assert shown["policy"] == {
        "abi_minor": 31, "abi_major": 0, "smt": 1, "migrate_ma": 0, "debug": 0, "single_socket": 0
    }  # fmt: skip
    assert shown["reported_tcb"] == "7308000000000003"
    assert shown["report_data"] == report[0x50:0x90]
    assert shown["measurement"] == report[0x90:0xC0]
    assert shown["signature"] == {"r": report[0x2A0:0x2E8], "s": report[0x2E8:0x330]}
    assert "uvm_endorsements" not in verify(report, chain)


def test_reports_of_other_versions(read: Callable[[str], bytes]) -> None:
    milan = b"".join(read(f"milan_{part}.pem") for part in ("vcek", "ask", "ark"))
    shown = verify(read("milan_attestation_report.bin"), milan)["attestation"]
    assert (shown["version"], shown["cpuid_fam_id"]) == (3, 0x19)
    turin = read("turin_vcek.pem") + read("amd-roots/ask_ark_turin_vcek.pem")
    shown = verify(read("turin_attestation_report.bin"), turin)["attestation"]
    assert (shown["version"], shown["cpuid_fam_id"]) == (5, 0x1A)


def test_what_does_not_hold_is_refused_with_every_reason(read: Callable[[str], bytes]) -> None:
    report = read("aci-milan/snp_report.bin")
    chain = read("aci-milan/uvm_host_amd_certificate.pem")
    other = b"".join(read(f"milan_{part}.pem") for part in ("vcek", "ask", "ark"))
    with pytest.raises(ValueError, match="report signature: .*chip id: "):
        verify(report, other)
    with pytest.raises(ValueError, match="^endorsed tcb: [^;]*$"):
        verify(report, chain, None, "0000000000000000")
    with pytest.raises(ValueError, match="report signature: "):
        verify(report[:0x90] + bytes([report[0x90] ^ 1]) + report[0x91:], chain)
    with pytest.raises(ValueError, match="UVM endorsement"):
        verify(report, chain, b"\xd2")


def test_evidence_of_a_guest_that_can_be_debugged(read: Callable[[str], bytes]) -> None:
    leaf = base64.encodebytes(read("debug-milan/vcek.testcer"))
    chain = b"-----BEGIN CERTIFICATE-----\n" + leaf + b"-----END CERTIFICATE-----\n"
    with pytest.raises(ValueError, match="^debug: [^;]*$"):
        verify(read("debug-milan/attestation.bin"), chain + read("debug-milan/milan.testcer"))


def test_nonsense_is_refused_anywhere() -> None:
    with pytest.raises(ValueError, match="report cannot be read"):
        verify(b"none", b"none")
    with pytest.raises(TypeError, match="evidence must be bytes"):
        verify("none", b"none")  # type: ignore[arg-type]


def test_tcb_versions_are_taken_apart_by_processor() -> None:
    milan = {"hexstring": "db18000000000004", "microcode": 0xDB, "snp": 0x18, "tee": 0}
    assert ccf.tcb_hex_to_policy("00a00f11", "db18000000000004") == {**milan, "boot_loader": 4}
    turin = ccf.tcb_hex_to_policy(cpuid="00b00f21", tcb_version="5100000004030201")
    assert list(turin.values()) == ["5100000004030201", 0x51, 4, 3, 2, 1]
    with pytest.raises(TypeError, match="tcb_version must be a string of 16 hex digits"):
        ccf.tcb_hex_to_policy("00a00f11", "db18")
    with pytest.raises(ValueError, match="no processor with SEV-SNP"):
        ccf.tcb_hex_to_policy("00800f11", "db18000000000004")
    with pytest.raises(ValueError, match="reserved byte"):
        ccf.tcb_hex_to_policy("00a00f11", "db18ff0000000004")
