//! Evidence that no fixture has, under the root for tests: what is refused and why.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use affiant_attest::testing::{AT, Guest, RevocationSpec, revocation_list};
use affiant_attest::{
    Allowed, Attestation, ComponentMinimum, Cpuid, Evidence, FirmwareVersion, LeafKind, Outcome,
    Policy, PolicyTextRule, Product, TcbVersion, TextAction, Verdict, VirtualEvidence, VirtualRule,
    to_pem, verify, verify_attestation,
};

fn genuine(guest: &Guest) -> Verdict {
    verify(&guest.build(), &Policy::genuine_only(), AT)
}

fn failed(verdict: &Verdict) -> Vec<&'static str> {
    verdict.failures().map(|check| check.name).collect()
}

/// Fails with exactly these checks.
#[track_caller]
fn refused(guest: &Guest, policy: &Policy, wanted: &[&str]) {
    let _ = judged(guest, policy, wanted);
}

/// The verdict, which fails with exactly these checks.
#[track_caller]
fn judged(guest: &Guest, policy: &Policy, wanted: &[&str]) -> Verdict {
    let verdict = verify(&guest.build(), policy, AT);
    assert_eq!(failed(&verdict), wanted, "{verdict}");
    assert_eq!(verdict.is_trusted(), wanted.is_empty());
    verdict
}

#[track_caller]
fn outcome(verdict: &Verdict, name: &str) -> Outcome {
    verdict.check(name).unwrap().outcome
}

#[test]
fn an_ordinary_guest_of_each_product_is_genuine() {
    for product in Product::ALL {
        let verdict = genuine(&Guest::new(product));
        assert!(verdict.is_trusted(), "{product}\n{verdict}");
        assert_eq!(outcome(&verdict, "root"), Outcome::Warned);
        let verdict = genuine(&Guest::new(product).version_2());
        assert!(verdict.is_trusted(), "{product}\n{verdict}");
    }
}

#[test]
fn a_masked_chip_id_is_refused_unless_the_policy_accepts_it() {
    let strict = Policy::genuine_only();
    let lax = Policy { masked_chip_id: true, ..strict.clone() };
    for product in Product::ALL {
        let guest = Guest::new(product).mask_chip_id();
        refused(&guest, &strict, &["chip id"]);
        let verdict = judged(&guest, &lax, &[]);
        assert_eq!(outcome(&verdict, "chip id"), Outcome::Warned);
    }
    // The leaf still says whose key signed.
    let guest = Guest::new(Product::Turin).mask_chip_id();
    let chip = format!("{}{}", "c1".repeat(8), "00".repeat(56));
    let listed = Policy { chip_ids: Allowed::OneOf(vec![chip]), ..lax.clone() };
    refused(&guest, &listed, &[]);
    let other = Policy { chip_ids: Allowed::OneOf(vec!["00".repeat(64)]), ..lax };
    refused(&guest, &other, &["allowed chips"]);
}

#[test]
fn a_leaf_of_another_chip_is_refused() {
    let policy = Policy::genuine_only();
    for product in Product::ALL {
        let guest = Guest::new(product).issue(|issue| issue.hardware_id[7] ^= 1);
        refused(&guest, &policy, &["chip id"]);
    }
    // Turin: the report's id is eight bytes and zeros, nothing else.
    let mut id = [0_u8; 64];
    id[..8].fill(0xc1);
    id[63] = 1;
    refused(&Guest::new(Product::Turin).chip_id(id), &policy, &["chip id"]);
}

#[test]
fn the_privilege_level_is_exact_and_the_hosts_own_reports_are_refused() {
    let zero = Policy { vmpl: Some(0), ..Policy::genuine_only() };
    let guest = Guest::new(Product::Milan).vmpl(1);
    refused(&guest, &zero, &["vmpl"]);
    refused(&guest, &Policy { vmpl: Some(1), ..zero.clone() }, &[]);
    refused(&guest, &Policy::genuine_only(), &[]);
    let by_host = Guest::new(Product::Milan).vmpl(u32::MAX);
    refused(&by_host, &Policy::genuine_only(), &["vmpl"]);
    refused(&by_host, &zero, &["vmpl"]);
}

fn tcb(product: Product) -> TcbVersion {
    let fmc = (product == Product::Turin).then_some(7);
    TcbVersion { fmc, boot_loader: 7, tee: 7, snp: 7, microcode: 200 }
}

/// Each component of `tcb`, lowered by one.
fn lowered(tcb: TcbVersion) -> Vec<(&'static str, TcbVersion)> {
    let mut all = vec![
        ("boot_loader", TcbVersion { boot_loader: tcb.boot_loader - 1, ..tcb }),
        ("tee", TcbVersion { tee: tcb.tee - 1, ..tcb }),
        ("snp", TcbVersion { snp: tcb.snp - 1, ..tcb }),
        ("microcode", TcbVersion { microcode: tcb.microcode - 1, ..tcb }),
    ];
    if let Some(fmc) = tcb.fmc {
        all.push(("fmc", TcbVersion { fmc: Some(fmc - 1), ..tcb }));
    }
    all
}

#[test]
fn a_tcb_below_the_minimum_is_refused_by_component() {
    for product in Product::ALL {
        let tcb = tcb(product);
        let minimum = ComponentMinimum {
            fmc: tcb.fmc,
            boot_loader: Some(tcb.boot_loader),
            tee: Some(tcb.tee),
            snp: Some(tcb.snp),
            microcode: Some(tcb.microcode),
        };
        let mut policy = Policy::genuine_only();
        policy.minimum_tcb.insert(product.name().to_owned(), minimum);
        policy.minimum_launch_tcb = true;
        let guest = Guest::new(product).tcb(tcb);
        refused(&guest, &policy, &[]);
        for (component, low) in lowered(tcb) {
            let verdict = judged(&guest.clone().tcb(low), &policy, &["minimum tcb", "launch tcb"]);
            let reason = &verdict.check("minimum tcb").unwrap().reason;
            assert!(reason.ends_with(component), "{component}: {reason}");
            refused(&guest.clone().launch_tcb(low), &policy, &["launch tcb"]);
        }
    }
}

#[test]
fn tcb_versions_are_in_order_and_the_leafs_is_the_reported_one() {
    let policy = Policy { provisional_firmware: true, ..Policy::genuine_only() };
    for product in Product::ALL {
        let high = tcb(product);
        for (component, low) in lowered(high) {
            let guest = Guest::new(product).tcb(high);
            refused(&guest.clone().reported_tcb(low), &policy, &[]);
            let verdict = judged(&guest.clone().committed_tcb(low), &policy, &["tcb order"]);
            let reason = &verdict.check("tcb order").unwrap().reason;
            assert!(reason.starts_with(component), "{component}: {reason}");
            refused(&guest.clone().current_tcb(low), &policy, &["tcb order"]);
            refused(&guest.issue(|issue| issue.tcb = low), &policy, &["key tcb"]);
        }
    }
}

#[test]
fn minimums_go_by_cpuid_before_product() {
    let low = ComponentMinimum { snp: Some(1), ..ComponentMinimum::default() };
    let high = ComponentMinimum { snp: Some(255), ..ComponentMinimum::default() };
    let policy = |entries: &[(&str, ComponentMinimum)]| Policy {
        minimum_tcb: entries.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect(),
        ..Policy::genuine_only()
    };
    let guest = Guest::new(Product::Milan);
    refused(&guest, &policy(&[("00A00F11", low), ("Milan", high)]), &[]);
    refused(&guest, &policy(&[("00a00f11", high), ("Milan", low)]), &["minimum tcb"]);
    refused(&guest, &policy(&[("00a00f12", low)]), &["minimum tcb"]);
    refused(&guest, &policy(&[("Genoa", low)]), &["minimum tcb"]);
    let old = guest.version_2();
    refused(&old, &policy(&[("00a00f11", low)]), &["minimum tcb"]);
    refused(&old, &policy(&[("00a00f11", high), ("Milan", low)]), &[]);
    let fmc = ComponentMinimum { fmc: Some(0), ..ComponentMinimum::default() };
    refused(&old, &policy(&[("00a00f11", low), ("Milan", low)]), &[]);
    refused(&Guest::new(Product::Milan), &policy(&[("00a00f11", fmc)]), &["minimum tcb"]);
}

#[test]
fn provisional_firmware_is_refused_unless_the_policy_accepts_it() {
    let strict = Policy { provisional_firmware: false, ..Policy::genuine_only() };
    let lax = Policy::genuine_only();
    let (old, new) = (
        FirmwareVersion { major: 1, minor: 55, build: 40 },
        FirmwareVersion { major: 1, minor: 55, build: 41 },
    );
    let newer = Guest::new(Product::Milan).firmware(new, old);
    refused(&newer, &strict, &["firmware"]);
    assert_eq!(outcome(&judged(&newer, &lax, &[]), "firmware"), Outcome::Warned);
    let older = Guest::new(Product::Milan).firmware(old, new);
    refused(&older, &lax, &["firmware"]);
    // The same build, and yet another TCB version runs than is committed.
    let mut tcb = tcb(Product::Milan);
    let guest = Guest::new(Product::Milan).tcb(tcb);
    tcb.microcode += 1;
    refused(&guest.current_tcb(tcb), &strict, &["firmware"]);
}

#[test]
fn endorsed_tcb_versions_are_the_reported_one_in_either_order() {
    let policy = Policy::genuine_only();
    for (text, wanted) in [
        ("db18000000000104", &[][..]),
        ("DB18000000000104", &[]),
        ("04010000000018db", &[]),
        ("db17000000000104", &["endorsed tcb"]),
        ("", &["endorsed tcb"]),
        ("0xdb180000000001", &["endorsed tcb"]),
    ] {
        let mut guest = Guest::new(Product::Milan);
        guest.evidence.endorsed_tcb = Some(text.to_owned());
        refused(&guest, &policy, wanted);
    }
}

#[test]
fn certificates_are_held_to_the_time_that_is_given() {
    let policy = Policy::genuine_only();
    let lax = Policy { expired_certificates: true, ..policy.clone() };
    let expired = Guest::new(Product::Milan).issue(|issue| issue.leaf_validity.1 = AT - 1);
    refused(&expired, &policy, &["chain validity"]);
    assert_eq!(outcome(&judged(&expired, &lax, &[]), "chain validity"), Outcome::Warned);
    let evidence = expired.build();
    assert!(verify(&evidence, &policy, AT - 1).is_trusted());
    assert!(verify(&evidence, &policy, AT - 2).is_trusted());
    let first = Guest::new(Product::Milan).issue(|issue| issue.leaf_validity.0 = AT);
    refused(&first, &policy, &[]);
    let early = Guest::new(Product::Milan).issue(|issue| issue.leaf_validity.0 = AT + 1);
    refused(&early, &policy, &["chain validity"]);
    refused(&early, &lax, &["chain validity"]);
    for change in [
        |guest: Guest| guest.issue(|issue| issue.authority.validity.1 = AT - 1),
        |guest: Guest| guest.issue(|issue| issue.root.validity.1 = AT - 1),
    ] {
        refused(&change(Guest::new(Product::Milan)), &policy, &["chain validity"]);
    }
}

#[test]
fn authorities_that_may_not_issue_are_refused() {
    let policy = Policy::genuine_only();
    let guest = || Guest::new(Product::Milan);
    for (what, guest) in [
        ("ASK no CA", guest().issue(|i| i.authority.constraints = Some((false, None)))),
        ("ASK without constraints", guest().issue(|i| i.authority.constraints = None)),
        ("ASK may not sign", guest().issue(|i| i.authority.key_usage = Some(0x80))),
        ("ASK without usage", guest().issue(|i| i.authority.key_usage = None)),
        ("ARK no CA", guest().issue(|i| i.root.constraints = Some((false, None)))),
        ("ARK with nothing below", guest().issue(|i| i.root.constraints = Some((true, Some(0))))),
        ("ARK may not sign", guest().issue(|i| i.root.key_usage = Some(0x02))),
        ("leaf by another name", guest().issue(|i| i.leaf_issuer = Some("SEV-Genoa".into()))),
        ("VLEK's ASK", guest().issue(|i| i.authority.name = "SEV-VLEK-Milan".into())),
        ("leaf's name", guest().issue(|i| i.leaf_name = "SEV-VLEK".into())),
        ("ARK of another issuer", guest().issue(|i| i.root_issuer = Some("Other".into()))),
        ("ARK's name", guest().issue(|i| i.root.name = "ARK-Genoa".into())),
        (
            "leaf is a CA",
            guest().issue(|i| {
                let constraints = vec![0x30, 0x03, 0x01, 0x01, 0xff];
                i.leaf_extensions.push(("2.5.29.19", true, constraints));
            }),
        ),
    ] {
        let verdict = genuine(&guest);
        assert_eq!(failed(&verdict), ["chain constraints"], "{what}\n{verdict}");
    }
    let guest = guest().issue(|issue| issue.authority_signs_itself = true);
    refused(&guest, &policy, &["chain signatures"]);
}

#[test]
fn a_chain_has_three_certificates_in_their_order() {
    let policy = Policy::genuine_only();
    let guest = Guest::new(Product::Genoa);
    let evidence = guest.build();
    let with = |endorsements: Vec<u8>| {
        let evidence = Evidence { endorsements, ..evidence.clone() };
        failed(&verify(&evidence, &policy, AT))
    };
    let [leaf, ask, ark] = guest.issue.certificates().map(|der| to_pem(&der).into_bytes());
    for order in [
        [&leaf, &ark, &ask],
        [&ask, &leaf, &ark],
        [&ask, &ark, &leaf],
        [&ark, &ask, &leaf],
        [&ark, &leaf, &ask],
        [&leaf, &leaf, &ark],
        [&leaf, &ask, &ask],
        [&leaf, &ark, &ark],
    ] {
        let failed = with(order.map(Vec::as_slice).concat());
        assert!(!failed.is_empty());
    }
    assert_eq!(with([&leaf[..], &ask, &ark].concat()), [""; 0]);
    assert_eq!(with([&leaf[..], &ask].concat()), ["chain"]);
    assert_eq!(with([&leaf[..], &ask, &ark, &ark].concat()), ["chain"]);
    assert_eq!(with(leaf.clone()), ["chain"]);
    // In DER, one after the other; and in PEM as hosts mangle it.
    assert_eq!(with(guest.issue.certificates().concat()), [""; 0]);
    let text = String::from_utf8(evidence.endorsements.clone()).unwrap();
    assert_eq!(with(text.replace('\n', "\r\n\r\n").into_bytes()), [""; 0]);
    assert_eq!(with(text.trim_end().as_bytes().to_vec()), [""; 0]);
    assert_eq!(with(text.replace("-----BEGIN", "# next\n-----BEGIN").into_bytes()), ["chain"]);
}

#[test]
fn leaves_that_are_not_amds_are_not_read() {
    let guest = || Guest::new(Product::Milan);
    for (wanted, guest) in [
        ("is unknown", guest().issue(|i| i.leaf_extensions.push(("1.2.3", true, vec![5, 0])))),
        (
            "is there twice",
            guest().issue(|i| {
                i.leaf_extensions.push(("1.3.6.1.4.1.3704.1.3.3", false, vec![2, 1, 9]));
            }),
        ),
        (
            "exactly one of hardware id and CSP id",
            guest().issue(|i| {
                i.leaf_extensions.push(("1.3.6.1.4.1.3704.1.5", false, vec![0x16, 1, b'x']));
            }),
        ),
        ("spare component", {
            let spare = ("1.3.6.1.4.1.3704.1.3.4", false, vec![2, 1, 1]);
            guest().issue(|i| i.leaf_extensions.push(spare))
        }),
        ("which Milan has not", guest().issue(|i| i.tcb.fmc = Some(0))),
        ("hardware id has 8 bytes", guest().issue(|i| i.hardware_id.truncate(8))),
        ("hardware id is zero", guest().issue(|i| i.hardware_id.fill(0))),
        ("unknown product", guest().issue(|i| i.product_name = "Rome".into())),
        ("48 bytes of salt", guest().issue(|i| (i.salt_bytes, i.outer_salt_bytes) = (32, 32))),
        ("two different signature algorithms", guest().issue(|i| i.outer_salt_bytes = 32)),
        ("structure of a leaf certificate: 2", guest().issue(|i| i.struct_version = 2)),
        ("no extension", Guest::new(Product::Turin).issue(|i| i.tcb.fmc = None)),
        ("hardware id has 64", Guest::new(Product::Turin).issue(|i| i.hardware_id = vec![1; 64])),
    ] {
        let verdict = genuine(&guest);
        assert_eq!(failed(&verdict), ["chain"], "{wanted}\n{verdict}");
        let reason = &verdict.check("chain").unwrap().reason;
        assert!(reason.contains(wanted), "{wanted}: {reason}");
    }
}

#[test]
fn a_leaf_for_another_product_is_refused() {
    let policy = Policy::genuine_only();
    let named = |name: &str| {
        Guest::new(Product::Milan).issue(|issue| {
            issue.product_name = name.to_owned();
            issue.authority.name = "SEV-Genoa".to_owned();
            issue.root.name = "ARK-Genoa".to_owned();
        })
    };
    refused(&named("Genoa-B1"), &policy, &["product"]);
    // Version 2 has no processor to contradict it: the leaf decides, and so does the policy.
    refused(&named("Siena-A1").version_2(), &policy, &[]);
    let milan = Policy { products: vec!["Milan".to_owned()], ..policy.clone() };
    refused(&named("Siena-A1").version_2(), &milan, &["product"]);
    let stranger = Guest::new(Product::Milan).cpuid(Cpuid { family: 0x17, model: 1, stepping: 0 });
    refused(&stranger, &policy, &["product", "tcb order"]);
}

#[test]
fn a_vlek_is_accepted_only_where_the_policy_names_it() {
    let both = Policy {
        signing_keys: vec!["VCEK".to_owned(), "VLEK".to_owned()],
        ..Policy::genuine_only()
    };
    for product in Product::ALL {
        let guest = Guest::new(product).vlek();
        refused(&guest, &Policy::genuine_only(), &["signing key"]);
        let verdict = judged(&guest, &both, &[]);
        assert_eq!(outcome(&verdict, "chip id"), Outcome::Skipped);
        refused(&guest.clone().mask_chip_id(), &both, &[]);
        // The kind that the report names is the kind of the leaf.
        refused(&guest.clone().key_flags(0), &both, &["signing key"]);
        refused(&Guest::new(product).key_flags(1 << 2), &both, &["signing key"]);
        // A provider's leaf under the ASK for chips.
        let crossed = guest.issue(|issue| issue.authority.name = format!("SEV-{product}"));
        refused(&crossed, &both, &["chain constraints"]);
    }
    let none = Guest::new(Product::Milan).key_flags(7 << 2);
    refused(&none, &both, &["signing key"]);
    let masked = Guest::new(Product::Milan).key_flags(1 << 1);
    refused(&masked, &both, &["signing key"]);
    refused(&Guest::new(Product::Milan).vlek().key_flags(0b110), &both, &[]);
    let mut facts = Guest::new(Product::Milan).vlek();
    assert_eq!(facts.issue.kind, LeafKind::Vlek);
    facts.issue.kind = LeafKind::Vcek;
    refused(&facts, &both, &["chain constraints", "signing key"]);
}

#[test]
fn revoked_certificates_are_refused() {
    let guest = Guest::new(Product::Milan);
    let with = |spec: &RevocationSpec, required: bool| Policy {
        revocation_lists: vec![revocation_list(Product::Milan, spec)],
        require_revocation_list: required,
        ..Policy::genuine_only()
    };
    let list = |revoked: Vec<(Vec<u8>, Option<String>)>| RevocationSpec {
        revoked,
        ..RevocationSpec::default()
    };
    let clean = list(vec![(vec![0x7f], None)]);
    assert_eq!(outcome(&judged(&guest, &with(&clean, true), &[]), "revocation"), Outcome::Passed);
    refused(&guest, &with(&RevocationSpec::default(), true), &[]);
    let ask = list(vec![(vec![0x7f], None), (vec![1, 0, 1], None)]);
    refused(&guest, &with(&ask, false), &["revocation"]);
    let ark = list(vec![(vec![1, 0, 0], None)]);
    refused(&guest, &with(&ark, false), &["revocation"]);
    // A leaf's serial number says nothing by itself: every VCEK has 0. It does in an indirect list.
    refused(&guest, &with(&list(vec![(vec![0], None)]), true), &[]);
    let leaf = list(vec![(vec![0], Some("SEV-Milan".to_owned()))]);
    refused(&guest, &with(&leaf, false), &["revocation"]);
    let other = list(vec![(vec![0], Some("SEV-Genoa".to_owned())), (vec![1, 0, 1], None)]);
    refused(&guest, &with(&other, true), &[]);
    // A stale list still revokes, but shows nothing where it does not.
    let old = |spec: RevocationSpec| RevocationSpec { next_update: Some(AT - 1), ..spec };
    refused(&guest, &with(&old(ask), false), &["revocation"]);
    let verdict = judged(&guest, &with(&old(clean.clone()), false), &[]);
    assert_eq!(outcome(&verdict, "revocation"), Outcome::Warned);
    refused(&guest, &with(&old(clean.clone()), true), &["revocation"]);
    let future = RevocationSpec { this_update: AT + 1, ..clean.clone() };
    refused(&guest, &with(&future, true), &["revocation"]);
    let endless = RevocationSpec { next_update: None, ..clean.clone() };
    refused(&guest, &with(&endless, true), &["revocation"]);
    let forged = RevocationSpec { signed_by_authority: true, ..clean.clone() };
    refused(&guest, &with(&forged, false), &["revocation"]);
    let delta = RevocationSpec { delta: true, ..clean.clone() };
    refused(&guest, &with(&delta, false), &["policy", "revocation"]);
    // Another product's list is not about this chain.
    let genoa = Policy {
        revocation_lists: vec![revocation_list(Product::Genoa, &clean)],
        ..Policy::genuine_only()
    };
    let verdict = judged(&guest, &genoa, &[]);
    assert_eq!(outcome(&verdict, "revocation"), Outcome::Skipped);
    refused(&guest, &Policy { require_revocation_list: true, ..genoa }, &["revocation"]);
    // An ARK that may not sign lists.
    let guest = guest.issue(|issue| issue.root.key_usage = Some(0x04));
    refused(&guest, &with(&clean, false), &["revocation"]);
}

#[test]
fn mitigations_are_verified_at_launch_and_now() {
    let policy = Policy { mitigations: 0b101, ..Policy::genuine_only() };
    let guest = |launch, current| Guest::new(Product::Turin).mitigations(launch, current);
    refused(&guest(0b111, 0b101), &policy, &[]);
    refused(&guest(0b011, 0b111), &policy, &["mitigations"]);
    refused(&guest(0b111, 0b110), &policy, &["mitigations"]);
    refused(&Guest::new(Product::Milan), &policy, &["mitigations"]);
}

#[test]
fn report_data_is_the_digest_of_exactly_the_bound_bytes_and_zeros() {
    let policy = Policy { unbound: false, ..Policy::genuine_only() };
    let guest = Guest::new(Product::Milan).bound(b"a key");
    refused(&guest, &policy, &[]);
    refused(&Guest::new(Product::Milan), &policy, &["binding"]);
    let report_data = |at: usize, bytes: &[u8]| guest.clone().set(0x50 + at, bytes);
    refused(&report_data(32, &[1]), &policy, &["binding"]);
    refused(&report_data(63, &[0x80]), &policy, &["binding"]);
    refused(&report_data(31, &[0]), &policy, &["binding"]);
    for bound in [&b"a key\n"[..], b"a ke", b"", &[0; 200_000]] {
        let mut other = guest.clone();
        other.evidence.bound = Some(bound.to_vec());
        refused(&other, &policy, &["binding"]);
        // What is said to be bound is checked even where nothing has to be.
        refused(&other, &Policy::genuine_only(), &["binding"]);
    }
}

#[test]
fn container_policies_are_the_host_datas_and_judged_by_rule() {
    let text = b"package policy\n\nexec_external := {\"allowed\": true}\n";
    let guest = Guest::new(Product::Milan).policy_text(text);
    let strict = Policy::genuine_only();
    let verdict = judged(&guest, &strict, &["policy rules"]);
    let found = &verdict.check("policy rules").unwrap().found;
    assert!(found.contains("external_exec"), "{found}");
    let rules = affiant_attest::text::RULES.iter().map(|rule| rule.name.to_owned());
    let with = |action| {
        let findings = rules.clone().map(|rule| (rule, action)).collect();
        let policy_text = PolicyTextRule { required: true, findings };
        Policy { policy_text, ..strict.clone() }
    };
    let verdict = judged(&guest, &with(TextAction::Warn), &[]);
    assert_eq!(outcome(&verdict, "policy rules"), Outcome::Warned);
    let verdict = judged(&guest, &with(TextAction::Ignore), &[]);
    assert_eq!(outcome(&verdict, "policy rules"), Outcome::Passed);
    let other = guest.clone().host_data([7; 32]);
    refused(&other, &with(TextAction::Ignore), &["policy text"]);
    let without = Guest::new(Product::Milan);
    refused(&without, &with(TextAction::Ignore), &["policy text"]);
    let unreadable = Guest::new(Product::Milan).policy_text(&[0xff]);
    refused(&unreadable, &with(TextAction::Ignore), &["policy rules"]);
}

#[test]
fn a_uvm_endorsement_that_cannot_be_read_is_refused_even_where_nobody_asked() {
    let mut guest = Guest::new(Product::Milan);
    guest.evidence.uvm_endorsement = Some(vec![0xd2]);
    refused(&guest, &Policy::genuine_only(), &["uvm endorsement"]);
}

#[test]
fn virtual_evidence_is_refused_unless_the_policy_names_it() {
    let bound = b"a key".to_vec();
    let digest = Guest::new(Product::Milan).bound(&bound).build().report[0x50..0x90].to_vec();
    let evidence = |report_data: Vec<u8>| VirtualEvidence {
        measurement: "Insecure".to_owned(),
        host_data: "ab".repeat(32),
        report_data,
        bound: Some(bound.clone()),
    };
    let judge = |evidence: VirtualEvidence, policy: &Policy| {
        failed(&verify_attestation(&Attestation::Virtual(evidence), policy, AT))
    };
    assert_eq!(judge(evidence(digest.clone()), &Policy::genuine_only()), ["virtual evidence"]);
    let rule = |measurements, host_data| Policy {
        insecure_virtual: Some(VirtualRule { measurements, host_data }),
        ..Policy::default()
    };
    let any = rule(Allowed::ANY, Allowed::ANY);
    assert_eq!(judge(evidence(digest.clone()), &any), [""; 0]);
    assert_eq!(judge(evidence(digest[..32].to_vec()), &any), [""; 0]);
    assert_eq!(judge(evidence(digest[..31].to_vec()), &any), ["binding"]);
    assert_eq!(judge(evidence(vec![0; 64]), &any), ["binding"]);
    let unbound = VirtualEvidence { bound: None, ..evidence(digest.clone()) };
    assert_eq!(judge(unbound, &any), ["binding"]);
    let listed = rule(Allowed::OneOf(vec!["insecure".to_owned()]), Allowed::NONE);
    assert_eq!(judge(evidence(digest), &listed), ["measurement", "host data"]);
    // Real evidence is judged as before.
    let real = Attestation::Snp(Box::new(Guest::new(Product::Milan).build()));
    let verdict = verify_attestation(&real, &any, AT);
    assert_eq!(failed(&verdict), ["measurement", "host data", "binding"]);
}

#[test]
fn reserved_parts_of_each_version_are_refused() {
    for (what, guest) in [
        ("version 4", Guest::new(Product::Milan).version(4)),
        ("version 6", Guest::new(Product::Turin).version(6)),
        ("version 0", Guest::new(Product::Milan).version(0)),
        ("algorithm", Guest::new(Product::Milan).set(0x34, &[2])),
        ("policy bit 26", Guest::new(Product::Milan).policy(1 << 26 | 1 << 17)),
        ("policy bit 17", Guest::new(Product::Milan).policy(1 << 16)),
        ("platform bit 8", Guest::new(Product::Milan).platform_info(1 << 8)),
        ("flags bit 5", Guest::new(Product::Milan).key_flags(1 << 5)),
        ("signing key 2", Guest::new(Product::Milan).key_flags(2 << 2)),
        ("after flags", Guest::new(Product::Milan).set(0x4c, &[1])),
        ("after cpuid", Guest::new(Product::Milan).set(0x18b, &[1])),
        ("cpuid of version 2", Guest::new(Product::Milan).version_2().set(0x188, &[0x19])),
        ("after version", Guest::new(Product::Milan).set(0x1eb, &[1])),
        ("mitigations of version 3", Guest::new(Product::Milan).set(0x1f8, &[1])),
        ("before signature", Guest::new(Product::Turin).set(0x29f, &[1])),
        ("padding of R", Guest::new(Product::Milan).set(0x2a0 + 48, &[1])),
        ("padding of S", Guest::new(Product::Milan).set(0x2e8 + 71, &[1])),
        ("after signature", Guest::new(Product::Milan).set(0x49f, &[1])),
    ] {
        let verdict = genuine(&guest);
        assert_eq!(failed(&verdict), ["report"], "{what}\n{verdict}");
    }
    let reserved_tcb = Guest::new(Product::Milan).set(0x38 + 2, &[1]);
    assert_eq!(failed(&genuine(&reserved_tcb)), ["tcb order"]);
}

#[test]
fn nothing_at_all_is_refused() {
    let verdict = verify(&Evidence::default(), &Policy::genuine_only(), AT);
    assert_eq!(failed(&verdict), ["report", "chain"]);
    let no_report = Evidence { report: Vec::new(), ..Guest::new(Product::Milan).build() };
    assert_eq!(failed(&verify(&no_report, &Policy::genuine_only(), AT)), ["report"]);
    let no_chain = Evidence { endorsements: Vec::new(), ..Guest::new(Product::Milan).build() };
    assert_eq!(failed(&verify(&no_chain, &Policy::genuine_only(), AT)), ["chain"]);
}

#[test]
fn names_in_certificates_steer_no_terminal() {
    let name = format!("Milan-\u{1b}[2J\r\n{}", "x".repeat(9000));
    let guest = Guest::new(Product::Milan).issue(|issue| issue.product_name = name);
    let verdict = judged(&guest, &Policy::genuine_only(), &[]);
    let found = &verdict.check("chain").unwrap().found;
    assert!(found.starts_with("VCEK of Milan-?[2J??x"), "{found}");
    assert!(found.len() < 4200, "{} bytes", found.len());
}
