//! The twelve conversions between PEM and JWK. Unprefixed names are EC's.

use affiant::crypto::jwk::{self, Family};
use affiant::crypto::{PrivateKey, PublicKey};

use super::{check_count, thrown};
use crate::engine::{Args, Scope, Script, Value};

macro_rules! conversions {
    ($($name:ident = $run:ident($family:ident);)+) => {$(
        pub(super) fn $name<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
            $run(scope, &args, Family::$family)
        }
    )+};
}

conversions! {
    pub_pem_to_jwk = public_to_jwk(Ec);
    pem_to_jwk = private_to_jwk(Ec);
    pub_rsa_pem_to_jwk = public_to_jwk(Rsa);
    rsa_pem_to_jwk = private_to_jwk(Rsa);
    pub_eddsa_pem_to_jwk = public_to_jwk(Okp);
    eddsa_pem_to_jwk = private_to_jwk(Okp);
    pub_jwk_to_pem = public_to_pem(Ec);
    jwk_to_pem = private_to_pem(Ec);
    pub_rsa_jwk_to_pem = public_to_pem(Rsa);
    rsa_jwk_to_pem = private_to_pem(Rsa);
    pub_eddsa_jwk_to_pem = public_to_pem(Okp);
    eddsa_jwk_to_pem = private_to_pem(Okp);
}

const TO_JWK_FAILED: &str = "Failed to convert pem to jwk: ";
/// CCF's text has no colon here.
const TO_PEM_FAILED: &str = "Failed to convert jwk to pem ";

/// The PEM, and the key id if there is a second argument.
fn pem_and_kid<'js>(scope: Scope<'js>, args: &Args<'js>) -> Script<(String, Option<String>)> {
    check_count(scope, args, &[1, 2], "1 or 2")?;
    let pem = scope.text(&args.get(0))?;
    let kid = if args.len() == 2 { Some(scope.text(&args.get(1))?) } else { None };
    Ok((pem, kid))
}

fn public_to_jwk<'js>(scope: Scope<'js>, args: &Args<'js>, family: Family) -> Script<Value<'js>> {
    let (pem, kid) = pem_and_kid(scope, args)?;
    let jwk = PublicKey::from_pem(&pem).and_then(|key| {
        family.check(key.kind())?;
        jwk::from_public_key(&key, kid.as_deref())
    });
    match jwk {
        Ok(jwk) => scope.parse_json(jwk.to_string().as_bytes()),
        Err(error) => Err(thrown(scope, TO_JWK_FAILED, &error)),
    }
}

fn private_to_jwk<'js>(scope: Scope<'js>, args: &Args<'js>, family: Family) -> Script<Value<'js>> {
    let (pem, kid) = pem_and_kid(scope, args)?;
    let jwk = PrivateKey::from_pem(&pem).and_then(|key| {
        family.check(key.kind())?;
        jwk::from_private_key(&key, kid.as_deref())
    });
    match jwk {
        Ok(jwk) => scope.parse_json(jwk.as_bytes()),
        Err(error) => Err(thrown(scope, TO_JWK_FAILED, &error)),
    }
}

/// The argument as JSON text. What has no JSON form becomes text that is no JWK.
fn json<'js>(scope: Scope<'js>, args: &Args<'js>) -> Script<String> {
    let json = scope.to_json(&args.get(0))?;
    scope.text(&json)
}

fn public_to_pem<'js>(scope: Scope<'js>, args: &Args<'js>, family: Family) -> Script<Value<'js>> {
    let pem = jwk::public_key_from_text(&json(scope, args)?).and_then(|key| {
        family.check(key.kind())?;
        Ok(key.to_pem())
    });
    match pem {
        Ok(pem) => scope.string(&pem),
        Err(error) => Err(thrown(scope, TO_PEM_FAILED, &error)),
    }
}

fn private_to_pem<'js>(scope: Scope<'js>, args: &Args<'js>, family: Family) -> Script<Value<'js>> {
    let pem = jwk::private_key_from_text(&json(scope, args)?).and_then(|key| {
        family.check(key.kind())?;
        key.to_pem()
    });
    match pem {
        Ok(pem) => scope.string(&pem),
        Err(error) => Err(thrown(scope, TO_PEM_FAILED, &error)),
    }
}
