//! Which issuers a key may vouch for: when it is registered, and when it has signed a token.

const ENTRA_HOST: &str = "login.microsoftonline.com";
const TENANT: &str = "{tenantid}";

/// The host of a URL; empty where the text has none. As CCF reads URLs: split, not checked.
fn host(url: &str) -> &str {
    authority_and_path(url).map_or("", |(authority, _)| {
        let bracket = authority.rfind(']').unwrap_or(0);
        let port = authority[bracket..].find(':').map_or(authority.len(), |at| bracket + at);
        &authority[..port]
    })
}

/// What stands between `//` and the next `/`, `?` or `#`, and the path after it.
fn authority_and_path(url: &str) -> Option<(&str, &str)> {
    let end_of_scheme = url.find([':', '/', '?', '#']).filter(|at| url[*at..].starts_with(':'));
    let rest = match end_of_scheme {
        Some(at) if at > 0 => &url[at + 1..],
        _ => url,
    };
    let rest = rest.strip_prefix("//")?;
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    Some((authority, &rest[..rest.find(['?', '#']).unwrap_or(rest.len())]))
}

/// Whether a key registered for `issuer` may be constrained to `constraint`: the same host, or a
/// parent domain of it.
pub(super) fn may_constrain(issuer: &str, constraint: &str) -> bool {
    let (issuer, constraint) = (host(issuer), host(constraint));
    !constraint.is_empty()
        && issuer
            .strip_suffix(constraint)
            .is_some_and(|below| below.is_empty() || below.ends_with('.'))
}

/// Whether a token with these claims may be signed by a key constrained to `constraint`.
///
/// Entra signs the tokens of all its tenants with the same keys, so there the tenant must be part
/// of the issuer; elsewhere a token that names a tenant is refused.
pub(crate) fn admits(constraint: &str, iss: &str, tid: Option<&str>) -> bool {
    if host(constraint) != ENTRA_HOST {
        return iss == constraint && tid.is_none();
    }
    let Some(tid) = tid else { return false };
    let tenant = authority_and_path(iss)
        .and_then(|(_, path)| path.split('/').find(|segment| !segment.is_empty()));
    iss == constraint.replacen(TENANT, tid, 1) && tenant == Some(tid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_as_ccf_finds_them() {
        for (url, expected) in [
            ("https://example.com/a/b?c#d", "example.com"),
            ("https://example.com:8443", "example.com"),
            ("https://[::1]:8443/x", "[::1]"),
            ("//example.com?x", "example.com"),
            ("https://a@example.com/", "a@example.com"),
            ("example.com", ""),
            ("my issuer", ""),
            ("https:/example.com", ""),
            ("/a//b", ""),
            ("", ""),
            (":", ""),
            ("://x", ""),
            ("https://", ""),
        ] {
            assert_eq!(host(url), expected, "{url}");
        }
    }

    #[test]
    fn constraints_stay_in_the_issuers_domain() {
        for (issuer, constraint, expected) in [
            ("https://limited.facebook.com", "https://facebook.com", true),
            ("https://facebook.com/x", "https://facebook.com:443/y", true),
            ("https://facebook.com", "https://limited.facebook.com", false),
            ("https://evilfacebook.com", "https://facebook.com", false),
            ("https://facebook.com", "facebook.com", false),
            ("plain", "https://facebook.com", false),
        ] {
            assert_eq!(may_constrain(issuer, constraint), expected, "{issuer} {constraint}");
        }
    }

    #[test]
    fn tenants_are_part_of_the_issuer_at_entra_and_nowhere_else() {
        const OWN: &str = "https://login.microsoftonline.com/t1/v2.0";
        const ALL: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";
        for (constraint, iss, tid, expected) in [
            ("https://a.com", "https://a.com", None, true),
            ("https://a.com", "https://a.com", Some("t1"), false),
            ("https://a.com", "https://b.com", None, false),
            ("plain", "plain", None, true),
            (OWN, OWN, Some("t1"), true),
            (OWN, OWN, None, false),
            (OWN, OWN, Some("t2"), false),
            (OWN, OWN, Some("{tenantid}"), false),
            (ALL, OWN, Some("t1"), true),
            (ALL, OWN, Some("t2"), false),
            (ALL, ALL, None, false),
            (ALL, OWN, None, false),
            (ALL, "https://login.microsoftonline.com/t1/v1.0", Some("t1"), false),
            // The tenant must be the first segment, whatever the constraint says.
            (
                "https://login.microsoftonline.com/v2.0/{tenantid}",
                "https://login.microsoftonline.com/v2.0/t1",
                Some("t1"),
                false,
            ),
            (
                "https://login.microsoftonline.com",
                "https://login.microsoftonline.com",
                Some("t1"),
                false,
            ),
        ] {
            assert_eq!(admits(constraint, iss, tid), expected, "{constraint} {iss} {tid:?}");
        }
    }
}
