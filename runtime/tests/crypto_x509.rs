//! Bundles and chains of certificates, made for each case, and AMD's real ones.

#![allow(clippy::unwrap_used, reason = "tests")]

use affiant::crypto::x509::{certificates, verify_chain};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256,
    PKCS_RSA_SHA384, PKCS_RSA_SHA512, SanType, SignatureAlgorithm, date_time_ymd,
};

/// Within the validity of every certificate here, unless it says otherwise.
const NOW: i64 = 1_760_000_000;

/// A certificate and its key.
struct Entity {
    params: CertificateParams,
    key: KeyPair,
    pem: String,
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2034, 1, 1);
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

impl Entity {
    fn root(params: CertificateParams) -> Self {
        Self::root_with(params, KeyPair::generate().unwrap())
    }

    fn root_with(params: CertificateParams, key: KeyPair) -> Self {
        let pem = params.self_signed(&key).unwrap().pem();
        Self { params, key, pem }
    }

    fn issue(&self, params: CertificateParams) -> Self {
        self.issue_to(params, KeyPair::generate().unwrap())
    }

    fn issue_to(&self, params: CertificateParams, key: KeyPair) -> Self {
        let issuer = Issuer::from_params(&self.params, &self.key);
        let pem = params.signed_by(&key, &issuer).unwrap().pem();
        Self { params, key, pem }
    }
}

fn accepted(chain: &[&Entity], trusted: &[&Entity]) -> Result<(), String> {
    accepted_at(chain, trusted, NOW)
}

fn accepted_at(chain: &[&Entity], trusted: &[&Entity], now: i64) -> Result<(), String> {
    let bundle = |entities: &[&Entity]| {
        entities.iter().map(|entity| entity.pem.as_str()).collect::<Vec<_>>().join("\n")
    };
    verify_chain(&bundle(chain), &bundle(trusted), now).map_err(|error| error.to_string())
}

fn assert_refused(result: Result<(), String>, reason: &str) {
    let error = result.unwrap_err();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn bundles_are_one_certificate_or_more() {
    let entity = Entity::root(authority("a"));
    let two = format!("{}text between\n{}", entity.pem, entity.pem);
    assert_eq!(certificates(&entity.pem).unwrap().len(), 1);
    assert_eq!(certificates(&two).unwrap().len(), 2);
    assert_eq!(certificates(&two.replace('\n', "\r\n")).unwrap().len(), 2);
    let cut = entity.pem.replace("-----END CERTIFICATE-----", "");
    let damaged = entity.pem.replacen("MII", "AAA", 1);
    let many = entity.pem.repeat(129);
    let long = "x".repeat((1 << 20) + 1);
    for bad in ["", "garbage", &cut, &damaged, &many, &long, &format!("{two}{damaged}")] {
        assert!(certificates(bad).is_err(), "{bad:.40}");
    }
}

/// The cases of CCF's own test of `isValidX509CertChain`.
#[test]
fn chains_as_ccf_tests_them() {
    let one = Entity::root(authority("1"));
    let two = one.issue(authority("2"));
    let three = two.issue(named("3"));
    assert_eq!(accepted(&[&two], &[&two]), Ok(()));
    assert_refused(accepted(&[&three], &[&three]), "not a CA's");
    assert_eq!(accepted(&[&two], &[&one]), Ok(()));
    assert_eq!(accepted(&[&three, &two], &[&one]), Ok(()));
    assert_eq!(accepted(&[&three], &[&two]), Ok(()));
    assert_refused(accepted(&[&three], &[&one]), "no issuer");
}

#[test]
fn order_extras_and_lookalikes_do_not_matter() {
    let root = Entity::root(authority("root"));
    let outer = root.issue(authority("outer"));
    let inner = outer.issue(authority("inner"));
    let leaf = inner.issue(named("leaf"));
    // Of the same name, with another key.
    let lookalike = Entity::root(authority("inner"));
    let stranger = Entity::root(authority("stranger"));
    let chain = [&leaf, &lookalike, &outer, &inner, &root];
    assert_eq!(accepted(&chain, &[&stranger, &root]), Ok(()));
    assert_refused(accepted(&[&leaf, &lookalike, &outer], &[&root]), "signature is not valid");
    assert_refused(accepted(&chain, &[&stranger]), "no issuer");
    // A self-signed certificate is not trusted because it is in the chain.
    assert!(accepted(&[&lookalike, &lookalike], &[&root]).is_err());
}

#[test]
fn every_signature_algorithm_is_verified() {
    let rsa = |algorithm: &'static SignatureAlgorithm| {
        let key = affiant::crypto::generate::rsa_key(2048, 65_537).unwrap().to_pem().unwrap();
        KeyPair::from_pkcs8_pem_and_sign_algo(&key, algorithm).unwrap()
    };
    let keys = [
        KeyPair::generate().unwrap(),
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
        KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap(),
        KeyPair::generate_for(&PKCS_ED25519).unwrap(),
        rsa(&PKCS_RSA_SHA256),
        rsa(&PKCS_RSA_SHA384),
        rsa(&PKCS_RSA_SHA512),
    ];
    for key in keys {
        let root = Entity::root_with(authority("root"), key);
        let leaf = root.issue(named("leaf"));
        assert_eq!(accepted(&[&leaf], &[&root]), Ok(()), "{:?}", root.key.algorithm());
        // One bit of the signature.
        let mut der = certificates(&leaf.pem).unwrap().remove(0);
        *der.last_mut().unwrap() ^= 1;
        let changed = affiant::crypto::pem_encode("CERTIFICATE", &der);
        assert!(verify_chain(&changed, &root.pem, NOW).is_err());
    }
}

#[test]
fn validity_holds_along_the_path() {
    let mut params = authority("root");
    params.not_after = date_time_ymd(2030, 1, 1);
    let root = Entity::root(params);
    let mut params = named("leaf");
    params.not_before = date_time_ymd(2025, 1, 1);
    let leaf = root.issue(params);
    let at = |year| date_time_ymd(year, 6, 1).unix_timestamp();
    assert_eq!(accepted_at(&[&leaf], &[&root], at(2026)), Ok(()));
    assert_refused(accepted_at(&[&leaf], &[&root], at(2024)), "not valid yet");
    assert_refused(accepted_at(&[&leaf], &[&root], at(2031)), "expired");
    assert_refused(accepted_at(&[&leaf], &[&root], -1), "before 1970");
}

#[test]
fn issuers_must_be_authorities() {
    let root = Entity::root(authority("root"));
    let plain = root.issue(named("plain"));
    let below_plain = plain.issue(named("below"));
    assert_refused(accepted(&[&below_plain, &plain], &[&root]), "not a CA");

    let mut params = authority("signs nothing");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let mute = root.issue(params);
    let below_mute = mute.issue(named("below"));
    assert_refused(accepted(&[&below_mute, &mute], &[&root]), "may not sign");

    let mut params = authority("short");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let short = Entity::root(params);
    let direct = short.issue(named("direct"));
    assert_eq!(accepted(&[&direct], &[&short]), Ok(()));
    let between = short.issue(authority("between"));
    let indirect = between.issue(named("indirect"));
    assert_refused(accepted(&[&indirect, &between], &[&short]), "longer than an issuer allows");
    assert_eq!(accepted(&[&indirect, &between], &[&between]), Ok(()));
}

#[test]
fn critical_extensions_must_be_understood() {
    let root = Entity::root(authority("root"));
    let mut params = named("leaf");
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999], vec![5, 0]);
    params.custom_extensions = vec![extension.clone()];
    assert_eq!(accepted(&[&root.issue(params.clone())], &[&root]), Ok(()));
    extension.set_criticality(true);
    params.custom_extensions = vec![extension];
    assert_refused(accepted(&[&root.issue(params)], &[&root]), "1.3.6.1.4.1.99999");
    let mut params = named("leaf");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    assert_eq!(accepted(&[&root.issue(params)], &[&root]), Ok(()));
}

#[test]
fn name_constraints_hold_below_their_issuer() {
    let mut params = authority("constrained");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("example.com".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::V4([10, 0, 0, 0], [255, 0, 0, 0])),
        ],
        excluded_subtrees: vec![GeneralSubtree::DnsName("secret.example.com".to_owned())],
    });
    let root = Entity::root(params);
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let ip = |text: &str| SanType::IpAddress(text.parse().unwrap());
    for (name, allowed) in [
        (dns("example.com"), true),
        (dns("a.example.com"), true),
        (dns("a.secret.example.com"), false),
        (dns("example.org"), false),
        (ip("10.1.2.3"), true),
        (ip("11.1.2.3"), false),
        (ip("::1"), false),
        // No constraint is on this form.
        (SanType::Rfc822Name("a@b.c".try_into().unwrap()), true),
    ] {
        let mut params = named("leaf");
        params.subject_alt_names = vec![name.clone()];
        let leaf = root.issue(params);
        let result = accepted(&[&leaf], &[&root]);
        assert_eq!(result.is_ok(), allowed, "{name:?}: {result:?}");
    }
}

#[test]
fn hostile_chains_end() {
    // A loop of cross-signed authorities, and more issuers of one name than are ever tried.
    let a = Entity::root(authority("a"));
    let b = Entity::root(authority("b"));
    let a_by_b = b.issue_to(authority("a"), KeyPair::from_pem(&a.key.serialize_pem()).unwrap());
    let b_by_a = a.issue_to(authority("b"), KeyPair::from_pem(&b.key.serialize_pem()).unwrap());
    let leaf = a.issue(named("leaf"));
    let stranger = Entity::root(authority("stranger"));
    assert!(accepted(&[&leaf, &a_by_b, &b_by_a], &[&stranger]).is_err());

    let crowd: Vec<_> = (0..100).map(|_| Entity::root(authority("a"))).collect();
    let mut chain = vec![&leaf];
    chain.extend(&crowd);
    assert_refused(accepted(&chain, &[&stranger]), "within 64 signatures");

    let mut entities = vec![Entity::root(authority("0"))];
    for depth in 1..12 {
        entities.push(entities[depth - 1].issue(authority(&depth.to_string())));
    }
    let chain: Vec<_> = entities.iter().rev().collect();
    assert_refused(accepted(&chain, &[&entities[0]]), "more than 10 certificates");
    assert_eq!(accepted(&chain[..9], &[&entities[2]]), Ok(()));
}

/// AMD signs with RSA-PSS (SHA-384, salt 48), and its leaf is an ECDSA key with serial number zero.
#[test]
fn amds_chain_is_valid() {
    let fixtures = std::env::var_os("AFFIANT_FIXTURES").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
        Into::into,
    );
    let read = |name: &str| std::fs::read_to_string(fixtures.join("snp").join(name));
    let (Ok(vcek), Ok(ask), Ok(ark)) =
        (read("milan_vcek.pem"), read("milan_ask.pem"), read("milan_ark.pem"))
    else {
        println!("skipped: no fixtures of SNP certificates");
        return;
    };
    let now = 1_795_000_000;
    verify_chain(&format!("{vcek}{ask}"), &ark, now).unwrap();
    verify_chain(&vcek, &ask, now).unwrap();
    verify_chain(&ask, &ark, now).unwrap();
    assert!(verify_chain(&vcek, &ark, now).is_err());
}
