//! An app's modules, compiled once: what every interpreter of the app loads from.
//!
//! Module names are the bundle's with a leading slash. An import specifier is resolved as CCF's
//! engine does (reference B.1): relative ones against the importer's directory, others verbatim; no
//! extension or index file is guessed.

use std::collections::BTreeMap;
use std::sync::Arc;

use affiant::Endpoint;
use affiant::hosting::AppBundle;

use crate::engine::Engine;
use crate::exception::Exception;
use crate::host::Host;
use crate::limits::{EXCERPT_CHARS_MAX, NESTED_STACK_BYTES_MAX};
use crate::log::LogSink;
use crate::source_map::SourceMap;
use crate::surface::web;

/// A module as [`Program::find`] knows it.
pub(crate) enum Loaded<'a> {
    /// Compiled in this process.
    Bytecode(&'a [u8]),
    /// Still to be compiled; only while the program is made.
    Source(&'a str),
    /// It does not compile; the reason.
    Broken(&'a str),
    /// The bundle has no such module.
    Missing,
}

enum Module {
    Source(String),
    Bytecode(Vec<u8>),
    Broken(String),
}

/// An app's modules.
#[derive(Default)]
pub(crate) struct Program {
    modules: BTreeMap<String, Module>,
    /// The script of the web platform's globals, compiled.
    pub(crate) web: Vec<u8>,
    /// Some module's source mentions one of these globals.
    pub(crate) mentions_web: bool,
    /// Of the modules that a bundler wrote.
    maps: BTreeMap<String, SourceMap>,
}

impl Program {
    /// Compiles every module of the bundle, none is run. Returns what will fail when it is called,
    /// as warnings: modules that do not compile, imports and handlers that are missing.
    ///
    /// # Errors
    /// No memory for an interpreter.
    pub(crate) fn compile(
        bundle: &AppBundle,
        endpoints: &[Endpoint],
        log: &LogSink,
    ) -> Result<(Self, Vec<String>), &'static str> {
        let modules = bundle
            .modules
            .iter()
            .map(|(name, source)| (canonical(name), Module::Source(source.clone())))
            .collect();
        let sources = Arc::new(Self { modules, ..Self::default() });
        let mut warnings = Vec::new();
        let mut compiled = BTreeMap::new();
        let mut engine = Engine::new(Host::new(sources.clone(), log.clone()))?;
        for (name, module) in &sources.modules {
            let Module::Source(source) = module else { continue };
            let module = match engine.compile(name, source) {
                Ok(bytes) => Module::Bytecode(bytes),
                Err(exception) => {
                    warnings.push(broken(&bundle.place_of(name), name, source, &exception));
                    Module::Broken(exception.located())
                }
            };
            compiled.insert(name.clone(), module);
        }
        let web = engine.compile_script("affiant:web", web::SOURCE);
        let program = Self {
            modules: compiled,
            maps: maps_of(bundle),
            web: web.expect("our own script compiles"),
            mentions_web: bundle.modules.iter().any(|(_, source)| mentions_web(source)),
        };
        let origin = match bundle.origin.as_str() {
            "" => String::new(),
            origin => format!("{origin}: "),
        };
        for endpoint in endpoints {
            if let Some(problem) = program.missing_handler(endpoint, &mut engine) {
                let Endpoint { method, path, .. } = endpoint;
                warnings.push(format!("{origin}{method} {path}: {problem}"));
            }
        }
        Ok((program, warnings))
    }

    /// The module of that name, with or without its leading slash.
    pub(crate) fn find(&self, name: &str) -> Loaded<'_> {
        match self.modules.get(name).or_else(|| self.modules.get(&canonical(name))) {
            Some(Module::Bytecode(bytes)) => Loaded::Bytecode(bytes),
            Some(Module::Source(source)) => Loaded::Source(source),
            Some(Module::Broken(reason)) => Loaded::Broken(reason),
            None => Loaded::Missing,
        }
    }

    /// Where a place in a module comes from, such as `src/app.ts:12`, if that is known. Line and column
    /// count from 1.
    pub(crate) fn origin(&self, module: &str, line: usize, column: usize) -> Option<String> {
        self.maps.get(module)?.place(line, column)
    }

    /// Why the endpoint's handler cannot be called, as far as linking shows.
    fn missing_handler(&self, endpoint: &Endpoint, engine: &mut Engine) -> Option<String> {
        let name = canonical(&endpoint.module);
        match self.find(&name) {
            Loaded::Missing => Some(format!("the bundle has no module '{name}'")),
            Loaded::Broken(_) => None, // Said for the module already.
            _ => {
                let found = engine.exports(&name, &endpoint.function);
                found.err().map(|reason| {
                    format!("module '{name}' exports no '{}': {reason}", endpoint.function)
                })
            }
        }
    }
}

fn mentions_web(source: &str) -> bool {
    web::NAMES.iter().any(|name| source.contains(name))
}

/// The source maps beside the modules, and those that modules carry themselves.
fn maps_of(bundle: &AppBundle) -> BTreeMap<String, SourceMap> {
    let inline = bundle
        .modules
        .iter()
        .filter_map(|(name, source)| Some((canonical(name), SourceMap::of_module(source)?)));
    let beside = bundle.source_maps.iter();
    let beside = beside.map(|(name, text)| (canonical(name), SourceMap::new(text.clone())));
    inline.chain(beside).collect()
}

/// Why a module does not compile: `src/log.js:12: SyntaxError: ...`, and that line. A fault behind the
/// last line is what an open bracket leads to; the engine's words do not say so.
fn broken(place: &str, name: &str, source: &str, exception: &Exception) -> String {
    let reason = &exception.reason;
    let Some(number) = exception.line_in(name) else { return format!("{place}: {reason}") };
    let Some(text) = source.lines().nth(number.saturating_sub(1)) else {
        let last = source.lines().count();
        return format!(
            "{place}:{last}: {reason}\n    the file ends here: is a bracket still open?"
        );
    };
    let excerpt: String = text.chars().take(EXCERPT_CHARS_MAX).collect();
    let more = if excerpt.len() < text.len() { "..." } else { "" };
    format!("{place}:{number}: {reason}\n    {number} | {excerpt}{more}")
}

/// Compiles modules for the sake of their faults only; called by a script, so the stack is short.
///
/// # Errors
/// Which module does not compile, and why.
pub(crate) fn find_fault(
    modules: impl Iterator<Item = (String, String)>,
    log: &LogSink,
) -> Result<(), String> {
    let modules = modules.map(|(name, source)| (canonical(&name), Module::Source(source)));
    let sources = Arc::new(Program { modules: modules.collect(), ..Program::default() });
    let mut engine = Engine::new(Host::new(sources.clone(), log.clone()))?;
    engine.limit_stack(usize::try_from(NESTED_STACK_BYTES_MAX).unwrap_or(usize::MAX));
    for (name, module) in &sources.modules {
        let Module::Source(source) = module else { continue };
        engine.compile(name, source).map_err(|exception| broken(name, name, source, &exception))?;
    }
    Ok(())
}

/// A module name with its leading slash.
pub(crate) fn canonical(name: &str) -> String {
    if name.starts_with('/') { name.to_owned() } else { format!("/{name}") }
}

/// The name of the module that `importer` means by `specifier`.
pub(crate) fn resolve_specifier(importer: &str, specifier: &str) -> String {
    if !specifier.starts_with("./") && !specifier.starts_with("../") {
        return canonical(specifier);
    }
    let mut path: Vec<&str> = importer.split('/').filter(|part| !part.is_empty()).collect();
    path.pop();
    let mut rest = specifier;
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("../") {
            if path.pop().is_none() {
                // Above the bundle: no such module, and the error says so with this name.
                return format!("/{rest}");
            }
            rest = after;
        } else {
            break;
        }
    }
    path.push(rest);
    format!("/{}", path.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_resolve_as_the_reference_says() {
        let cases = [
            ("/a/b.js", "./c.js", "/a/c.js"),
            ("/a/b.js", "../c.js", "/c.js"),
            ("/a/b/c.js", "../d/e.js", "/a/d/e.js"),
            ("/a/b/c.js", "./../d.js", "/a/d.js"),
            ("/a.js", "./b.js", "/b.js"),
            ("/a.js", "b.js", "/b.js"),
            ("/x/a.js", "lib/b.js", "/lib/b.js"),
            ("/x/a.js", "/lib/b.js", "/lib/b.js"),
            ("/a.js", "../b.js", "/../b.js"),
            ("", "/src/a.js", "/src/a.js"),
            ("/a.js", "./noext", "/noext"),
        ];
        for (importer, specifier, expected) in cases {
            assert_eq!(resolve_specifier(importer, specifier), expected, "{importer} {specifier}");
        }
    }
}
