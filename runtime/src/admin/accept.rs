//! Whether a client takes JSON: the `Accept` header as CCF's JSON endpoints read it (reference B.10).

use crate::frontend::AppError;
use crate::odata;

/// Checks that one of `offered` (full media types) is admitted by the header's value.
///
/// # Errors
/// 400 where the header is no list of media ranges; 406 where it admits none.
pub(super) fn check(accept: Option<&str>, offered: &[&str]) -> Result<(), AppError> {
    let Some(accept) = accept else { return Ok(()) };
    let mut admitted = false;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let Some((kind, subtype)) = media.split_once('/').filter(|(kind, sub)| {
            let token = |text: &str| !text.is_empty() && !text.contains([' ', '/']);
            token(kind) && token(sub)
        }) else {
            let message = format!("Header accept has the entry '{media}', which is no media type.");
            return Err(AppError::new(400, odata::INVALID_HEADER_VALUE, message));
        };
        let refused = parts
            .filter_map(|parameter| parameter.strip_prefix("q="))
            .any(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0));
        admitted |= !refused
            && offered.iter().filter_map(|offer| offer.split_once('/')).any(|offer| {
                (kind == "*" || kind.eq_ignore_ascii_case(offer.0))
                    && (subtype == "*" || subtype.eq_ignore_ascii_case(offer.1))
            });
    }
    if admitted {
        return Ok(());
    }
    let message =
        format!("No content type in the accept header is served: {}.", offered.join(", "));
    Err(AppError::new(406, odata::UNSUPPORTED_CONTENT_TYPE, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_weights_and_nonsense() {
        let status = |accept: Option<&str>| {
            check(accept, &["application/json"]).err().map_or(200, |error| error.status)
        };
        for good in [
            "*/*",
            "application/*",
            "application/json",
            "text/html, */*;q=0.1",
            "text/html;q=0.3,application/json;q=0.2",
            "Application/JSON",
        ] {
            assert_eq!(status(Some(good)), 200, "{good}");
        }
        assert_eq!(status(None), 200);
        for other in ["text/html", "application/cose", "application/json;q=0", "video/*"] {
            assert_eq!(status(Some(other)), 406, "{other}");
        }
        for bad in ["nonsense", "", "a/b/c", "application/json, x", "/json", "text/"] {
            assert_eq!(status(Some(bad)), 400, "{bad}");
        }
    }
}
