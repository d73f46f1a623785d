//! From a bundle's metadata to endpoint declarations. Every problem is reported at once, by file,
//! field, fault and cure.

use serde_json::{Map, Value as Json};

use super::{AppBundle, BundleError, JAVASCRIPT_FIELDS, PYTHON_FIELDS, module_field, slashed};
use crate::auth::KNOWN_POLICIES;
use crate::endpoint::{
    AuthnPolicy, Endpoint, EndpointOptions, Interface, Language, Mode, Promises, Redirection,
    Respond,
};
use crate::limits::ENDPOINTS_COUNT_MAX;
use crate::router::{Template, is_fallback};
use crate::tables::ENDPOINTS;

const VERBS: [&str; 7] = ["get", "post", "put", "delete", "patch", "head", "options"];
const EARLY: (&str, Respond) = ("early", Respond::AtOnce);
const COMMITTED: (&str, Respond) = ("committed", Respond::AtCommit);
const RECEIPT: (&str, Respond) = ("receipt", Respond::WithReceipt);
/// What `py_interface` may be.
const INTERFACES: [(&str, Interface); 3] =
    [("handler", Interface::Handler), ("wsgi", Interface::Wsgi), ("asgi", Interface::Asgi)];
const PROBLEMS_SHOWN_MAX: usize = 20;
/// What an endpoint may declare. Other properties are kept in the tables, as in CCF.
const PROPERTIES: [&str; 11] = [
    "js_module",
    "js_function",
    "authn_policies",
    "mode",
    "respond",
    "promises",
    "redirection_strategy",
    "forwarding_required",
    "interpreter_reuse",
    "openapi",
    "openapi_hidden",
];
/// The same for an endpoint in Python.
const PYTHON_PROPERTIES: [&str; 10] = [
    "py_module",
    "py_function",
    "py_interface",
    "authn_policies",
    "mode",
    "respond",
    "redirection_strategy",
    "forwarding_required",
    "openapi",
    "openapi_hidden",
];

const fn properties_of(language: Language) -> &'static [&'static str] {
    match language {
        Language::JavaScript => &PROPERTIES,
        Language::Python => &PYTHON_PROPERTIES,
    }
}

struct Checker<'a> {
    bundle: &'a AppBundle,
    /// Of all endpoints; JavaScript where none says.
    language: Language,
    problems: Vec<String>,
}

impl AppBundle {
    /// The endpoints that the metadata declares, ascending by path and verb.
    ///
    /// # Errors
    /// Every problem in the metadata, up to twenty.
    pub fn endpoints(&self) -> Result<Vec<Endpoint>, BundleError> {
        let language = self.language().unwrap_or(Language::JavaScript);
        let mut checker = Checker { bundle: self, language, problems: Vec::new() };
        let mut endpoints = Vec::new();
        let empty = Map::new();
        let paths = self.metadata.as_object().unwrap_or_else(|| {
            if !self.metadata.is_null() {
                checker.problems.push(format!("{}: endpoints is no object", self.origin));
            }
            &empty
        });
        for (path, verbs) in paths {
            if let Err(error) = Template::compile(path) {
                checker.problem(path, format_args!("{error}"));
                continue;
            }
            let Some(verbs) = verbs.as_object() else {
                checker.problem(path, format_args!("is no object; it maps verbs to properties"));
                continue;
            };
            for (verb, properties) in verbs {
                endpoints.extend(checker.endpoint(path, verb, properties));
            }
        }
        if endpoints.len() > ENDPOINTS_COUNT_MAX {
            checker.problems.push(format!(
                "{}: {} endpoints; at most {ENDPOINTS_COUNT_MAX} are taken",
                self.origin,
                endpoints.len()
            ));
        }
        // Verbs come in any case; their order must not depend on it.
        endpoints.sort_by(|a, b| (&a.path, &a.method).cmp(&(&b.path, &b.method)));
        for pair in endpoints.windows(2) {
            if let [one, other] = pair
                && (&one.path, &one.method) == (&other.path, &other.method)
            {
                let place = format!("{} {}", one.method, one.path);
                checker.problem(&place, format_args!("is declared twice; keep one of them"));
            }
        }
        if checker.problems.is_empty() {
            return Ok(endpoints);
        }
        let more = checker.problems.len().saturating_sub(PROBLEMS_SHOWN_MAX);
        checker.problems.truncate(PROBLEMS_SHOWN_MAX);
        if more > 0 {
            checker.problems.push(format!("and {more} more"));
        }
        Err(BundleError { problems: checker.problems })
    }

    /// A sentence for each property of an endpoint that nothing here reads, up to twenty: CCF keeps
    /// such properties, so they are no fault, but perhaps a slip of the pen.
    #[must_use]
    pub fn unknown_properties(&self) -> Vec<String> {
        let known = properties_of(self.language().unwrap_or(Language::JavaScript));
        let paths = self.metadata.as_object().into_iter().flatten();
        paths
            .flat_map(|(path, verbs)| {
                let verbs = verbs.as_object().into_iter().flatten();
                verbs.map(move |(verb, properties)| (path, verb, properties))
            })
            .flat_map(|(path, verb, properties)| {
                let place = format!("{} {path}", verb.to_ascii_uppercase());
                let names = properties.as_object().into_iter().flat_map(Map::keys);
                names.filter(|name| !known.contains(&name.as_str())).map(move |name| {
                    format!(
                        "{}: endpoints[{place:?}]: {name:?} has no effect; properties are {}",
                        self.origin,
                        known.join(", ")
                    )
                })
            })
            .take(PROBLEMS_SHOWN_MAX)
            .collect()
    }
}

impl Checker<'_> {
    fn problem(&mut self, place: &str, why: core::fmt::Arguments<'_>) {
        self.problems.push(format!("{}: endpoints[{place:?}]: {why}", self.bundle.origin));
    }

    fn endpoint(&mut self, path: &str, verb: &str, properties: &Json) -> Option<Endpoint> {
        let lower = verb.to_ascii_lowercase();
        let fallback = match is_fallback(&lower, path) {
            Ok(fallback) => fallback,
            Err(error) => {
                self.problem(
                    &format!("{} {path}", lower.to_ascii_uppercase()),
                    format_args!("{error}"),
                );
                return None;
            }
        };
        if !fallback && !VERBS.contains(&&*lower) {
            self.problem(path, format_args!("{verb:?} is no verb; known are {}", VERBS.join(", ")));
            return None;
        }
        let before = self.problems.len();
        let place = format!("{} {path}", lower.to_ascii_uppercase());
        let Some(fields) = properties.as_object() else {
            self.problem(&place, format_args!("is no object of properties"));
            return None;
        };
        let (interface, module, function) = self.handler(&place, fields);
        let options = EndpointOptions {
            authn_policies: self.policies(&place, fields),
            mode: self.choice(
                &place,
                fields,
                "mode",
                &[
                    ("readwrite", Mode::ReadWrite),
                    ("readonly", Mode::ReadOnly),
                    ("historical", Mode::Historical),
                ],
            ),
            respond: self.choice(
                &place,
                fields,
                "respond",
                match self.language {
                    Language::JavaScript => &[EARLY, COMMITTED, RECEIPT],
                    Language::Python => &[COMMITTED, EARLY, RECEIPT],
                },
            ),
            promises: self.choice(
                &place,
                fields,
                "promises",
                &[("awaited", Promises::Awaited), ("ignored", Promises::Ignored)],
            ),
            redirection: self.choice(
                &place,
                fields,
                "redirection_strategy",
                &[
                    ("to_primary", Redirection::ToPrimary),
                    ("none", Redirection::None),
                    ("to_backup", Redirection::ToBackup),
                ],
            ),
            openapi: self.fragment(&place, fields),
            openapi_hidden: self.flag(&place, fields, "openapi_hidden"),
            interpreter_reuse_key: self.reuse_key(&place, fields),
        };
        // Checked for its spelling only: nodes redirect, they do not forward.
        let _: u8 = self.choice(
            &place,
            fields,
            "forwarding_required",
            &[("always", 0), ("sometimes", 1), ("never", 2)],
        );
        (self.problems.len() == before).then(|| Endpoint {
            method: lower.to_ascii_uppercase(),
            path: path.to_owned(),
            language: Some(self.language),
            interface,
            module,
            function,
            options,
        })
    }

    /// What the endpoint's language calls, and how.
    fn handler(&mut self, place: &str, fields: &Map<String, Json>) -> (Interface, String, String) {
        let others = match self.language {
            Language::JavaScript => PYTHON_FIELDS,
            Language::Python => JAVASCRIPT_FIELDS,
        };
        if let Some(field) = fields.keys().find(|field| others.contains(&field.as_str())) {
            let own = self.language.as_str();
            self.problem(
                place,
                format_args!(
                    "{field} does not fit, since other endpoints or properties make this bundle \
                     {own}; a bundle has one language"
                ),
            );
            return Default::default();
        }
        let module_field = module_field(self.language);
        let (function_field, what, interfaces): (_, _, &[_]) = match self.language {
            Language::JavaScript => ("js_function", "the handler's exported name", &[]),
            Language::Python => {
                let what = "the handler's name, or the web application's";
                ("py_function", what, &INTERFACES)
            }
        };
        let interface = match interfaces {
            [] => Interface::Handler,
            interfaces => self.choice(place, fields, "py_interface", interfaces),
        };
        let module = self.text(place, fields, module_field, "the file below src/ with the handler");
        let function = self.text(place, fields, function_field, what);
        let module = slashed(module.unwrap_or_default());
        if module.len() > 1 && self.bundle.module(&module).is_none() {
            self.problem(
                place,
                format_args!(
                    "{module_field} {module:?} is not in the bundle; {}",
                    nearest(self.bundle, &module)
                ),
            );
        }
        (interface, module, function.unwrap_or_default().to_owned())
    }

    fn text<'b>(
        &mut self,
        place: &str,
        fields: &'b Map<String, Json>,
        field: &str,
        what: &str,
    ) -> Option<&'b str> {
        let found = fields.get(field).and_then(Json::as_str).filter(|text| !text.is_empty());
        if found.is_none() {
            self.problem(place, format_args!("{field} is missing or no string; it names {what}"));
        }
        found
    }

    /// The first choice is the default.
    fn choice<T: Copy>(
        &mut self,
        place: &str,
        fields: &Map<String, Json>,
        field: &str,
        choices: &[(&str, T)],
    ) -> T {
        let Some(value) = fields.get(field) else { return choices[0].1 };
        if let Some((_, choice)) = choices.iter().find(|(name, _)| value.as_str() == Some(name)) {
            return *choice;
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.problem(
            place,
            format_args!("{field} is {value}; it must be one of {}", names.join(", ")),
        );
        choices[0].1
    }

    fn flag(&mut self, place: &str, fields: &Map<String, Json>, field: &str) -> bool {
        match fields.get(field) {
            None => false,
            Some(Json::Bool(flag)) => *flag,
            Some(other) => {
                self.problem(place, format_args!("{field} is {other}; it must be true or false"));
                false
            }
        }
    }

    fn fragment(&mut self, place: &str, fields: &Map<String, Json>) -> Json {
        match fields.get("openapi") {
            None | Some(Json::Null) => Json::Null,
            Some(given @ Json::Object(_)) => given.clone(),
            Some(other) => {
                self.problem(
                    place,
                    format_args!("openapi is {other}; it must be an OpenAPI operation object"),
                );
                Json::Null
            }
        }
    }

    fn reuse_key(&mut self, place: &str, fields: &Map<String, Json>) -> Option<String> {
        let reuse = fields.get("interpreter_reuse")?;
        let key = reuse.get("key").and_then(Json::as_str);
        if key.is_none() {
            self.problem(
                place,
                format_args!("interpreter_reuse is {reuse}; it must be {{\"key\": \"<name>\"}}"),
            );
        }
        key.map(str::to_owned)
    }

    fn policies(&mut self, place: &str, fields: &Map<String, Json>) -> Vec<AuthnPolicy> {
        let Some(listed) = fields.get("authn_policies").and_then(Json::as_array) else {
            self.problem(
                place,
                format_args!(
                    "authn_policies is missing or no array; to admit anybody say [\"no_auth\"]"
                ),
            );
            return Vec::new();
        };
        let mut policies = Vec::with_capacity(listed.len());
        for policy in listed {
            if let Some(name) = policy.as_str() {
                self.known(place, name);
                policies.push(AuthnPolicy::Named(name.to_owned()));
                continue;
            }
            let names: Option<Vec<String>> = policy
                .get("all_of")
                .and_then(Json::as_array)
                .filter(|names| !names.is_empty())
                .and_then(|names| names.iter().map(|n| n.as_str().map(str::to_owned)).collect());
            let Some(names) = names else {
                self.problem(
                    place,
                    format_args!(
                        "authn_policies has {policy}; an element is a name or {{\"all_of\": [names]}}"
                    ),
                );
                continue;
            };
            for name in &names {
                self.known(place, name);
            }
            policies.push(AuthnPolicy::AllOf(names));
        }
        policies
    }

    /// In the tables of a running service an unknown policy fails the request, not the bundle.
    fn known(&mut self, place: &str, name: &str) {
        if self.bundle.origin != ENDPOINTS.as_str() && !KNOWN_POLICIES.contains(&name) {
            self.problem(
                place,
                format_args!(
                    "authn_policies names {name:?}, which is unknown; known are {}",
                    KNOWN_POLICIES.join(", ")
                ),
            );
        }
    }
}

fn nearest(bundle: &AppBundle, module: &str) -> String {
    let file = module.rsplit('/').next().unwrap_or(module);
    let alike = bundle.modules.iter().find(|(name, _)| name.ends_with(file));
    match (alike, bundle.modules.len()) {
        (Some((name, _)), _) => format!("did you mean {name:?}?"),
        (None, 0) => "it has no modules at all".to_owned(),
        (None, _) if bundle.modules.iter().any(|(name, _)| name.ends_with(".ts")) => {
            "it holds TypeScript, which is not run as it lies there: build it (npm run build) and \
             name what was built, such as dist"
                .to_owned()
        }
        (None, count) => {
            let names: Vec<&str> =
                bundle.modules.iter().take(10).map(|(name, _)| name.as_str()).collect();
            let which = if count > names.len() { "the first of its modules" } else { "it has" };
            format!("{which}: {}", names.join(", "))
        }
    }
}
