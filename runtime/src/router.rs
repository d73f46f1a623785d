//! Which endpoint serves a method and a path (reference B.3).
//!
//! Order: the exact path, then the templates of that method (several matches are an error), first
//! among the application's endpoints, then among the built-in ones. A path that neither has is the
//! application's fallback's, if there is one: the endpoint [`ANY_METHOD`] [`ANY_PATH`]. Templates are
//! compiled into literals and placeholders; since two placeholders are never adjacent, a placeholder
//! ends at the first `/` or at the first byte of the literal behind it, so matching never backtracks
//! and allocates nothing.

use core::fmt;
use std::collections::HashMap;
use std::sync::Arc;

use http::Method;

use crate::limits::{TEMPLATE_BYTES_MAX, TEMPLATE_PARAMETERS_MAX};
use crate::request::{Route, Spans};

/// The method of an application's fallback: all of them, known or not.
pub(crate) const ANY_METHOD: &str = "*";
/// The path of an application's fallback: every path that no endpoint has.
pub(crate) const ANY_PATH: &str = "/*";

/// Whether this is the fallback. Method and path go together.
pub(crate) fn is_fallback(method: &str, path: &str) -> Result<bool, TemplateError> {
    match (method == ANY_METHOD, path == ANY_PATH) {
        (true, false) => Err(TemplateError(format!(
            "the method \"*\" stands for all methods and goes with the path {ANY_PATH:?} only; list \
             the methods of this path"
        ))),
        (false, true) => Err(TemplateError(format!(
            "the path {ANY_PATH:?} stands for all paths that no endpoint has and goes with the method \
             \"*\" only"
        ))),
        (both, _) => Ok(both),
    }
}

/// The front end of the host that a path addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    App,
    Gov,
    Node,
}

impl Actor {
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::App => "/app",
            Self::Gov => "/gov",
            Self::Node => "/node",
        }
    }

    /// The front end that `path` addresses and how many bytes of it are its prefix. A path under no
    /// known prefix belongs to the application as a whole.
    pub(crate) fn of(path: &str) -> (Self, usize) {
        for actor in [Self::App, Self::Node, Self::Gov] {
            let prefix = actor.prefix();
            if path.starts_with(prefix) && path.as_bytes().get(prefix.len()) == Some(&b'/') {
                return (actor, prefix.len());
            }
        }
        (Self::App, 0)
    }
}

/// Why a path template is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError(pub(crate) String);

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for TemplateError {}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// Ends before `/`, before this byte, or at the end.
    Placeholder(u8),
}

/// A compiled path template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
    names: Vec<String>,
}

impl Template {
    pub(crate) fn compile(text: &str) -> Result<Self, TemplateError> {
        let fail = |why: String| Err(TemplateError(why));
        if !text.starts_with('/') {
            return fail("a path starts with a slash".to_owned());
        }
        if text.len() > TEMPLATE_BYTES_MAX {
            return fail(format!("a path has at most {TEMPLATE_BYTES_MAX} bytes"));
        }
        let mut parts = Vec::new();
        let mut names: Vec<String> = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (literal, from) = rest.split_at(open);
            let Some(close) = from.find('}') else {
                return fail(format!("the brace before {:?} is never closed", &from[1..]));
            };
            let name = &from[1..close];
            if name.is_empty() || name.contains('{') {
                return fail(format!("{:?} is no placeholder name", &from[..=close]));
            }
            if literal.is_empty() {
                return fail(format!(
                    "the placeholder {{{name}}} follows another one directly; put text between them"
                ));
            }
            if names.iter().any(|known| known == name) {
                return fail(format!("the placeholder {{{name}}} occurs twice"));
            }
            if names.len() == TEMPLATE_PARAMETERS_MAX {
                return fail(format!("a path has at most {TEMPLATE_PARAMETERS_MAX} placeholders"));
            }
            parts.push(Part::Literal(literal.to_owned()));
            rest = &from[close + 1..];
            parts.push(Part::Placeholder(rest.bytes().next().unwrap_or(b'/')));
            names.push(name.to_owned());
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self { parts, names })
    }

    fn is_exact(&self) -> bool {
        self.names.is_empty()
    }

    /// Where the placeholders lie in `path`, shifted by `offset`, if it matches.
    fn matches(&self, path: &str, offset: usize) -> Option<Spans> {
        let bytes = path.as_bytes();
        let mut position = 0;
        let mut spans = Spans::default();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => {
                    if !bytes.get(position..)?.starts_with(literal.as_bytes()) {
                        return None;
                    }
                    position += literal.len();
                }
                Part::Placeholder(stop) => {
                    let rest = bytes.get(position..)?;
                    let length = rest
                        .iter()
                        .position(|byte| *byte == b'/' || byte == stop)
                        .unwrap_or(rest.len());
                    if length == 0 {
                        return None;
                    }
                    let span = spans.ends.get_mut(usize::from(spans.count))?;
                    let from = u32::try_from(offset + position).ok()?;
                    *span = (from, from + u32::try_from(length).ok()?);
                    spans.count += 1;
                    position += length;
                }
            }
        }
        (position == bytes.len()).then_some(spans)
    }
}

/// What the router found.
#[derive(Debug)]
pub(crate) enum Found {
    Endpoint {
        index: usize,
        route: Arc<Route>,
        spans: Spans,
    },
    /// Several templates match: their texts.
    Ambiguous(Vec<String>),
    /// The path exists under other methods; the value of `allow`.
    OtherMethods(String),
    Nothing,
}

struct Entry {
    method: Method,
    template: Template,
    route: Arc<Route>,
    index: usize,
}

#[derive(Default)]
struct Layer {
    exact: HashMap<String, Vec<Entry>>,
    templates: Vec<Entry>,
}

/// The endpoints of one front end: the application's own, then the built-in ones.
pub(crate) struct Router {
    prefix: &'static str,
    layers: [Layer; 2],
    /// What serves every path that no layer has.
    fallback: Option<Entry>,
}

/// Which of the router's two layers an endpoint belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Application = 0,
    BuiltIn = 1,
}

impl Router {
    pub(crate) fn new(actor: Actor) -> Self {
        let layers = [Layer::default(), Layer::default()];
        Self { prefix: actor.prefix(), layers, fallback: None }
    }

    /// Adds an endpoint under `index`, which [`Self::find`] gives back.
    pub(crate) fn add(
        &mut self,
        origin: Origin,
        method: &str,
        path: &str,
        index: usize,
    ) -> Result<(), TemplateError> {
        let fallback = is_fallback(method, path)?;
        let template = Template::compile(path)?;
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| TemplateError(format!("{method:?} is no HTTP method")))?;
        let route = Arc::new(Route {
            text: format!("{}{path}", self.prefix),
            names: template.names.clone(),
        });
        let layer = &mut self.layers[origin as usize];
        let exact = template.is_exact();
        let entry = Entry { method, template, route, index };
        if fallback {
            return match self.fallback.replace(entry) {
                None => Ok(()),
                Some(_) => Err(TemplateError("an application has one fallback".to_owned())),
            };
        }
        let list = if exact {
            layer.exact.entry(path.to_owned()).or_default()
        } else {
            &mut layer.templates
        };
        if let Some(same) = list
            .iter_mut()
            .find(|known| known.method == entry.method && known.route.text == entry.route.text)
        {
            if origin == Origin::Application {
                return Err(TemplateError("this method and path are declared twice".to_owned()));
            }
            *same = entry;
        } else {
            list.push(entry);
        }
        Ok(())
    }

    /// Finds the endpoint for `path`, whose first `offset` bytes are the front end's prefix.
    pub(crate) fn find(&self, method: &Method, path: &str, offset: usize) -> Found {
        let below = path.get(offset..).unwrap_or("");
        let mut found = self.find_method(method, below, offset);
        if matches!(found, Found::Nothing) && *method == Method::HEAD {
            found = self.find_method(&Method::GET, below, offset);
        }
        if matches!(found, Found::Nothing) {
            found = self.others(below);
        }
        match (&self.fallback, found) {
            // What answers CONNECT takes the connection over, and `*` is no path.
            (Some(entry), Found::Nothing)
                if *method != Method::CONNECT && below.starts_with('/') =>
            {
                entry.found(Spans::default())
            }
            (_, found) => found,
        }
    }

    fn find_method(&self, method: &Method, below: &str, offset: usize) -> Found {
        for layer in &self.layers {
            let exact = layer.exact.get(below).into_iter().flatten();
            if let Some(entry) = exact.into_iter().find(|entry| entry.method == *method) {
                return entry.found(Spans::default());
            }
            let mut matching = layer
                .templates
                .iter()
                .filter(|entry| entry.method == *method)
                .filter_map(|entry| Some((entry, entry.template.matches(below, offset)?)));
            if let Some((entry, spans)) = matching.next() {
                let mut rivals: Vec<String> =
                    matching.map(|(rival, _)| rival.route.text.clone()).collect();
                if rivals.is_empty() {
                    return entry.found(spans);
                }
                rivals.push(entry.route.text.clone());
                rivals.sort();
                return Found::Ambiguous(rivals);
            }
        }
        Found::Nothing
    }

    fn others(&self, below: &str) -> Found {
        let mut methods: Vec<&Method> = Vec::new();
        for layer in &self.layers {
            methods.extend(layer.exact.get(below).into_iter().flatten().map(|entry| &entry.method));
            methods.extend(
                layer
                    .templates
                    .iter()
                    .filter(|entry| entry.template.matches(below, 0).is_some())
                    .map(|entry| &entry.method),
            );
        }
        if methods.is_empty() {
            return Found::Nothing;
        }
        // CCF lists OPTIONS first, then its parser's order.
        methods.push(&Method::OPTIONS);
        methods.sort_by_key(|method| (rank(method), method.as_str()));
        methods.dedup();
        let names: Vec<&str> = methods.into_iter().map(Method::as_str).collect();
        Found::OtherMethods(names.join(", "))
    }
}

impl Entry {
    fn found(&self, spans: Spans) -> Found {
        Found::Endpoint { index: self.index, route: self.route.clone(), spans }
    }
}

fn rank(method: &Method) -> u8 {
    match method.as_str() {
        "OPTIONS" => 0,
        "DELETE" => 1,
        "GET" => 2,
        "HEAD" => 3,
        "POST" => 4,
        "PUT" => 5,
        _ => 6,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use proptest::prelude::*;

    fn router(endpoints: &[(&str, &str)]) -> Router {
        let mut router = Router::new(Actor::App);
        for (index, (method, path)) in endpoints.iter().enumerate() {
            router.add(Origin::Application, method, path, index).unwrap();
        }
        router
    }

    fn find(router: &Router, method: &str, path: &str) -> Result<(usize, Vec<String>), String> {
        let (_, offset) = Actor::of(path);
        match router.find(&Method::from_bytes(method.as_bytes()).unwrap(), path, offset) {
            Found::Endpoint { index, spans, .. } => Ok((
                index,
                spans.ends[..usize::from(spans.count)]
                    .iter()
                    .map(|(from, to)| path[*from as usize..*to as usize].to_owned())
                    .collect(),
            )),
            Found::Ambiguous(rivals) => Err(format!("ambiguous {}", rivals.join(" "))),
            Found::OtherMethods(allow) => Err(format!("405 {allow}")),
            Found::Nothing => Err("404".to_owned()),
        }
    }

    #[test]
    fn exact_paths_come_before_templates() {
        let router = router(&[("GET", "/log/{id}"), ("GET", "/log/all"), ("POST", "/log/{id}")]);
        assert_eq!(find(&router, "GET", "/app/log/all"), Ok((1, vec![])));
        assert_eq!(find(&router, "GET", "/log/all"), Ok((1, vec![])));
        assert_eq!(find(&router, "GET", "/app/log/7"), Ok((0, vec!["7".to_owned()])));
        assert_eq!(find(&router, "GET", "/log/7"), Ok((0, vec!["7".to_owned()])));
        assert_eq!(find(&router, "GET", "/log/7%2F8"), Ok((0, vec!["7%2F8".to_owned()])));
        assert_eq!(find(&router, "GET", "/log/"), Err("404".to_owned()));
        assert_eq!(find(&router, "GET", "/log/7/8"), Err("404".to_owned()));
        assert_eq!(find(&router, "PUT", "/log/7"), Err("405 OPTIONS, GET, POST".to_owned()));
        assert_eq!(find(&router, "OPTIONS", "/log/7"), Err("405 OPTIONS, GET, POST".to_owned()));
        assert_eq!(find(&router, "HEAD", "/log/7"), Ok((0, vec!["7".to_owned()])));
    }

    #[test]
    fn a_placeholder_ends_at_the_literal_behind_it() {
        let router = router(&[("POST", "/p/{p}/ballots/{m}:submit"), ("GET", "/f/{a}.{b}/x")]);
        assert_eq!(
            find(&router, "POST", "/p/1/ballots/m:submit"),
            Ok((0, vec!["1".to_owned(), "m".to_owned()]))
        );
        assert_eq!(find(&router, "POST", "/p/1/ballots/m:x:submit"), Err("404".to_owned()));
        assert_eq!(
            find(&router, "GET", "/f/one.two/x"),
            Ok((1, vec!["one".to_owned(), "two".to_owned()]))
        );
        // `{a}` may not hold a dot; `{b}` is followed by a slash and may.
        assert_eq!(
            find(&router, "GET", "/f/one.two.three/x"),
            Ok((1, vec!["one".to_owned(), "two.three".to_owned()]))
        );
    }

    #[test]
    fn several_matching_templates_are_named() {
        let router = router(&[("GET", "/{a}/b"), ("GET", "/a/{b}"), ("GET", "/a/b/c")]);
        assert_eq!(find(&router, "GET", "/a/b"), Err("ambiguous /app/a/{b} /app/{a}/b".to_owned()));
        assert_eq!(find(&router, "GET", "/x/b").map(|found| found.0), Ok(0));
    }

    #[test]
    fn the_application_overrides_what_is_built_in() {
        let mut router = router(&[("GET", "/receipt")]);
        router.add(Origin::BuiltIn, "GET", "/receipt", 7).unwrap();
        router.add(Origin::BuiltIn, "GET", "/commit", 8).unwrap();
        assert_eq!(find(&router, "GET", "/app/receipt").map(|found| found.0), Ok(0));
        assert_eq!(find(&router, "GET", "/app/commit").map(|found| found.0), Ok(8));
    }

    #[test]
    fn the_fallback_takes_what_no_endpoint_has() {
        let mut router = router(&[("GET", "/log/{id}"), ("*", "/*"), ("GET", "/exact")]);
        router.add(Origin::BuiltIn, "GET", "/commit", 7).unwrap();
        for (method, path) in [
            ("GET", "/app/"),
            ("GET", "/"),
            ("PROPFIND", "/app/a/b/c"),
            ("OPTIONS", "/app/log/1/2"),
            ("HEAD", "/elsewhere"),
            ("POST", "/app/*"),
        ] {
            assert_eq!(find(&router, method, path), Ok((1, vec![])), "{method} {path}");
        }
        assert_eq!(find(&router, "GET", "/app/log/1").map(|found| found.0), Ok(0));
        assert_eq!(find(&router, "HEAD", "/app/exact").map(|found| found.0), Ok(2));
        assert_eq!(find(&router, "GET", "/app/commit").map(|found| found.0), Ok(7));
        assert_eq!(find(&router, "POST", "/app/log/1"), Err("405 OPTIONS, GET".to_owned()));
        assert_eq!(find(&router, "OPTIONS", "/app/commit"), Err("405 OPTIONS, GET".to_owned()));
        assert_eq!(find(&router, "CONNECT", "/app/x"), Err("404".to_owned()));
        assert!(matches!(router.find(&Method::OPTIONS, "*", 0), Found::Nothing));
        for (method, path, word) in [
            ("*", "/*", "one fallback"),
            ("*", "/x", "goes with the path \"/*\" only"),
            ("GET", "/*", "goes with the method \"*\" only"),
        ] {
            let error = router.add(Origin::Application, method, path, 9).unwrap_err();
            assert!(error.to_string().contains(word), "{method} {path}: {error}");
        }
    }

    #[test]
    fn bad_templates_are_refused_by_name() {
        for (bad, word) in [
            ("x", "slash"),
            ("/{a}{b}", "directly"),
            ("/{a}/{a}", "twice"),
            ("/{a", "never closed"),
            ("/{}", "no placeholder"),
            ("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", "at most"),
        ] {
            let error = Template::compile(bad).unwrap_err();
            assert!(error.to_string().contains(word), "{bad}: {error}");
        }
    }

    #[test]
    fn a_prefix_needs_its_slash() {
        assert_eq!(Actor::of("/app/x"), (Actor::App, 4));
        assert_eq!(Actor::of("/app"), (Actor::App, 0));
        assert_eq!(Actor::of("/nodes/x"), (Actor::App, 0));
        assert_eq!(Actor::of("/node/x"), (Actor::Node, 5));
        assert_eq!(Actor::of("/gov/x"), (Actor::Gov, 4));
    }

    proptest! {
        // The compiled matcher agrees with the regular expression that CCF would build.
        #[test]
        fn matches_like_ccfs_expression(
            path in "/[a.:/]{0,12}",
            template in prop::sample::select(vec![
                "/{x}", "/a/{x}", "/{x}:a", "/{x}.{y}", "/{x}/{y}:a", "/a{x}a", "/{x}/a/{y}",
            ]),
        ) {
            let mut expression = String::from("^");
            let mut rest: &str = template;
            while let Some(open) = rest.find('{') {
                expression.push_str(&regex_lite::escape(&rest[..open]));
                rest = &rest[rest.find('}').unwrap() + 1..];
                match rest.chars().next() {
                    None | Some('/') => expression.push_str("([^/]+)"),
                    Some(next) => expression.push_str(&format!("([^/{next}]+)")),
                }
            }
            expression.push_str(&regex_lite::escape(rest));
            expression.push('$');
            let expected = regex_lite::Regex::new(&expression).unwrap();
            let compiled = Template::compile(template).unwrap();
            let spans = compiled.matches(&path, 0);
            prop_assert_eq!(spans.is_some(), expected.is_match(&path));
            if let (Some(spans), Some(groups)) = (spans, expected.captures(&path)) {
                for (index, (from, to)) in
                    spans.ends[..usize::from(spans.count)].iter().enumerate()
                {
                    let group = groups.get(index + 1).map(|group| group.as_str());
                    prop_assert_eq!(group, Some(&path[*from as usize..*to as usize]));
                }
            }
        }
    }
}
