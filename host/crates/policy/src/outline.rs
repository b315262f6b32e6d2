//! A look at an upload before it is compiled: cheap, and all that costs too much is turned away here.

use wasmtime::wasmparser::{Encoding, Parser, Payload};

use crate::{guest::quoted, limits};

/// What an upload is made of.
#[derive(Debug)]
pub(crate) struct Outline {
    /// A component, or a core module that may become one.
    pub(crate) encoding: Encoding,
    /// What the component itself imports: the first [`limits::NAMED_IMPORTS`] names, shortened.
    pub(crate) imports: Vec<String>,
    /// What forbids compiling it, each with its remedy.
    pub(crate) reasons: Vec<String>,
}

/// Whether bytes begin as a core module, which the server turns into a component.
#[must_use]
pub fn is_core_module(bytes: &[u8]) -> bool {
    Parser::is_core_wasm(bytes)
}

/// Walks over the sections. The reason says why the bytes are not WebAssembly.
pub(crate) fn outline(bytes: &[u8]) -> Result<Outline, String> {
    if bytes.is_empty() {
        return Err(unreadable("there are none"));
    }
    let mut outline = Outline { encoding: Encoding::Module, imports: Vec::new(), reasons: Vec::new() };
    let mut levels = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| unreadable(&error.to_string()))?;
        match payload {
            Payload::Version { encoding, .. } => {
                if levels.is_empty() {
                    outline.encoding = encoding;
                }
                levels.push(encoding);
            }
            Payload::End(_) => drop(levels.pop()),
            payload => outline.section(&payload, &levels).map_err(|error| unreadable(&error.to_string()))?,
        }
        if components(&levels) > limits::NESTED_COMPONENTS {
            outline.refuse(format!(
                "components are nested more than {} deep; upload one component that needs no others",
                limits::NESTED_COMPONENTS
            ));
            break;
        }
    }
    Ok(outline)
}

impl Outline {
    fn section(&mut self, payload: &Payload<'_>, levels: &[Encoding]) -> wasmtime::wasmparser::Result<()> {
        match payload {
            Payload::ComponentImportSection(imports) if levels.len() == 1 => {
                for import in imports.clone() {
                    let name = quoted(import?.name.name);
                    if self.imports.len() < limits::NAMED_IMPORTS {
                        self.imports.push(name);
                    }
                }
            }
            // Texts that two components hand each other are copied by the host, on nobody's fuel.
            Payload::ComponentCanonicalSection(_) if components(levels) > 1 => self.refuse(
                "the component is composed of several; link the parts into one core module before it becomes a component".to_owned(),
            ),
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                if range.end.saturating_sub(range.start) > limits::FUNCTION_BYTES {
                    self.refuse(format!(
                        "a function's body is longer than {} bytes; split it, or build without inlining",
                        limits::FUNCTION_BYTES
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Says the same thing once.
    fn refuse(&mut self, reason: String) {
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }
}

fn components(levels: &[Encoding]) -> usize {
    levels.iter().filter(|level| **level == Encoding::Component).count()
}

fn unreadable(why: &str) -> String {
    let why = quoted(why);
    format!("these bytes are not a WebAssembly module: {why}; upload the `.wasm` file that the build wrote, unpacked and complete")
}
