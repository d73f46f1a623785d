//! HTTP/1.1 as the load driver speaks it: requests formatted once, with the digits of the record's
//! id patched in place; responses cut out of a byte stream.
//!
//! Invariant: a patched request has the length of its template, so `content-length` stays true.

/// Every id has as many digits.
pub const ID_BASE: u64 = 10_000_000;
const ID_DIGITS: usize = 8;

/// A request whose id can be patched.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: Vec<u8>,
    id_at: usize,
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Template {
    /// A request; `{id}` in the path or in the body is where the id goes.
    #[must_use]
    pub fn new(
        method: &'static str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Self {
        let path = path.replace("{id}", &ID_BASE.to_string());
        let body = body.map(|body| body.replace("{id}", &ID_BASE.to_string()));
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &body {
            let length = body.len();
            text.push_str("content-type: application/json\r\n");
            text.push_str(&format!("content-length: {length}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(body.as_deref().unwrap_or(""));
        let id_at = text.find(&ID_BASE.to_string()).unwrap_or(text.len());
        let headers =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { bytes: text.into_bytes(), id_at, method, path, headers, body }
    }

    /// Appends the request for record `number`, below 90 million.
    pub fn append_to(&self, out: &mut Vec<u8>, number: u64) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        if self.id_at < self.bytes.len() {
            write_digits(&mut out[start + self.id_at..][..ID_DIGITS], ID_BASE + number);
        }
    }

    /// The headers beyond the usual ones.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// Method, path and body for record `number`, for HTTP/2.
    #[must_use]
    pub fn parts(&self, number: u64) -> (&'static str, String, Option<String>) {
        let base = ID_BASE.to_string();
        let id = (ID_BASE + number).to_string();
        (
            self.method,
            self.path.replacen(&base, &id, 1),
            self.body.as_ref().map(|body| body.replacen(&base, &id, 1)),
        )
    }
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    assert_eq!(number, 0, "an id has eight digits");
}

/// A response's head and where it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// HTTP status.
    pub status: u16,
    /// Bytes of the head, with its empty line.
    pub head_bytes: usize,
    /// Bytes of the body.
    pub body_bytes: usize,
}

impl ResponseHead {
    /// Reads the head at the start of `bytes`; `None` while it is incomplete.
    ///
    /// # Errors
    /// The bytes are not an HTTP/1.1 response with a length.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, String> {
        let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
        let wrong = |what: &str| {
            let start = String::from_utf8_lossy(&bytes[..end.min(80)]);
            format!("{what} in the response {start:?}")
        };
        let status = bytes
            .get(9..12)
            .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
            .ok_or_else(|| wrong("no status"))?;
        let mut body_bytes = (status == 204).then_some(0);
        for line in bytes[..end].split(|byte| *byte == b'\n').skip(1) {
            if let Some(value) = header_value(line, b"content-length:") {
                body_bytes = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            }
        }
        let body_bytes = body_bytes.ok_or_else(|| wrong("no content-length"))?;
        Ok(Some(Self { status, head_bytes: end + 4, body_bytes }))
    }

    /// Bytes of head and body.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.head_bytes + self.body_bytes
    }
}

/// The value of a header in a response's head.
#[must_use]
pub fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let wanted = format!("{name}:");
    head.split(|byte| *byte == b'\n')
        .find_map(|line| header_value(line, wanted.as_bytes()))
        .and_then(|value| std::str::from_utf8(value).ok())
}

fn header_value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn find(bytes: &[u8], wanted: &[u8; 4]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes[from..].iter().position(|byte| *byte == wanted[0])?;
        if bytes.get(at..at + 4)? == wanted {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    #[test]
    fn the_id_is_patched_in_place() {
        let template = Template::new("POST", "/log", &[], Some("{\"id\":{id},\"msg\":\"m\"}"));
        let mut out = b"before".to_vec();
        template.append_to(&mut out, 42);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("beforePOST /log HTTP/1.1\r\n"), "{text}");
        assert!(
            text.ends_with("content-length: 25\r\n\r\n{\"id\":10000042,\"msg\":\"m\"}"),
            "{text}"
        );
        let (method, path, body) = template.parts(42);
        assert_eq!((method, path.as_str()), ("POST", "/log"));
        assert_eq!(body.unwrap(), "{\"id\":10000042,\"msg\":\"m\"}");
    }

    #[test]
    fn responses_are_cut_out_of_a_stream() {
        let stream = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A:  b \r\n\r\ntrueHTTP/1.1 ";
        let head = ResponseHead::parse(stream).unwrap().unwrap();
        assert_eq!((head.status, head.body_bytes, head.bytes()), (200, 4, stream.len() - 9));
        assert_eq!(header(&stream[..head.head_bytes], "x-a"), Some("b"));
        assert_eq!(ResponseHead::parse(&stream[head.bytes()..]).unwrap(), None);
        assert!(ResponseHead::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
