//! Where the fuzz targets start from: what each of them reads in good order, made here, and real
//! evidence from the fixtures beside the workspace where they are there.

use affiant_attest::{Affiant, Statement};

/// The seeds of one target.
pub(crate) fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "policy_text" => policies(),
        "statement" => statements(),
        other => panic!("{other} has no seeds"),
    }
}

fn policies() -> Vec<Vec<u8>> {
    let texts = [
        include_str!("../policies/aci.rego"),
        include_str!("../policies/kata.rego"),
        "package policy\napi_svn := \"0.10.0\"\nexec_external := {\"allowed\": true, \
         \"allow_stdio_access\": true}\nload_fragment := {\"allowed\": false}\n",
        "package policy\nimport rego.v1\ndefault a := [1, -2, null]\n\
         b := {\"c\": x[0]} if { true } else := [d | d := data.e[_]]\n`f`\n",
        "package policy\ncontainers := [{\"env_rules\": [{\"strategy\": \"re2\", \"pattern\": \
         \"(?P<n>[^a-z[:alpha:]\\\\d]{2,})\\\\Qa\\\\E=|.*\"}]}]\n",
        "{\"allow_all\": true}",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn statements() -> Vec<Vec<u8>> {
    let statement = |affiant, bound: &[u8]| Statement {
        affiant,
        node_public_key: vec![0x30; 91],
        service_identity: vec![0x31; 120],
        bound: bound.to_vec(),
    };
    [statement(Affiant::Node, b""), statement(Affiant::App, b"\x00nonce\xff")]
        .iter()
        .map(|one| one.to_bytes().unwrap())
        .collect()
}
