//! The files of a new project. Their texts are in `templates/`; `{{name}}` and the like are filled in.

use stagehost_runtime::CONTRACT_VERSION;

use crate::authoring::kind::StageKind;
use crate::authoring::language::Language;
use crate::authoring::project::state_name;
use crate::contract::WIT_FILES;

/// One file.
pub struct File {
    /// Relative to the project's folder.
    pub path: String,
    /// The content.
    pub bytes: Vec<u8>,
}

macro_rules! template {
    ($name:literal) => {
        include_str!(concat!("../../../templates/", $name))
    };
}

/// A photo of 320×240 pixels, drawn for this purpose.
const PHOTO: &[u8] = include_bytes!("../../../templates/common/photo.jpg");

const COMMON: [(&str, &str); 8] = [
    ("stage.json", template!("common/stage.json.in")),
    ("config.schema.json", template!("common/config.schema.json.in")),
    ("wit/world.wit", template!("common/world.wit.in")),
    ("pipeline/state.json", template!("common/state.json.in")),
    ("pipeline/settings.json", template!("common/settings.json.in")),
    (".github/workflows/stage.yml", template!("common/ci.yml.in")),
    (".gitignore", template!("common/gitignore.in")),
    ("README.md", template!("common/README.md.in")),
];

fn of_language(language: Language, kind: StageKind) -> &'static [(&'static str, &'static str)] {
    match (language, kind) {
        (Language::Rust, StageKind::Asset) => &[
            ("Cargo.toml", template!("rust/Cargo.toml.in")),
            ("Cargo.lock", template!("rust/Cargo.lock.in")),
            ("src/lib.rs", template!("rust/lib.rs.in")),
            ("src/component.rs", template!("rust/component.asset.rs.in")),
            ("src/note.rs", template!("rust/note.asset.rs.in")),
        ],
        (Language::Rust, StageKind::Batch) => &[
            ("Cargo.toml", template!("rust/Cargo.toml.in")),
            ("Cargo.lock", template!("rust/Cargo.lock.in")),
            ("src/lib.rs", template!("rust/lib.rs.in")),
            ("src/component.rs", template!("rust/component.batch.rs.in")),
            ("src/note.rs", template!("rust/note.batch.rs.in")),
        ],
        (Language::Python, StageKind::Asset) => &[
            ("requirements.txt", template!("python/requirements.txt.in")),
            ("src/app.py", template!("python/app.asset.py.in")),
            ("src/note.py", template!("python/note.asset.py.in")),
            ("tests/test_note.py", template!("python/test_note.asset.py.in")),
            ("src/exchange.py", template!("python/exchange.py.in")),
            ("tests/test_exchange.py", template!("python/test_exchange.py.in")),
        ],
        (Language::Python, StageKind::Batch) => &[
            ("requirements.txt", template!("python/requirements.txt.in")),
            ("src/app.py", template!("python/app.batch.py.in")),
            ("src/note.py", template!("python/note.batch.py.in")),
            ("tests/test_note.py", template!("python/test_note.batch.py.in")),
            ("src/exchange.py", template!("python/exchange.py.in")),
            ("tests/test_exchange.py", template!("python/test_exchange.py.in")),
        ],
        (Language::Javascript, StageKind::Asset) => &[
            ("package.json", template!("javascript/package.json.in")),
            ("src/app.js", template!("javascript/app.asset.js.in")),
            ("src/note.js", template!("javascript/note.asset.js.in")),
            ("tests/note.test.js", template!("javascript/note.test.asset.js.in")),
            ("src/exchange.js", template!("javascript/exchange.js.in")),
            ("tests/exchange.test.js", template!("javascript/exchange.test.js.in")),
        ],
        (Language::Javascript, StageKind::Batch) => &[
            ("package.json", template!("javascript/package.json.in")),
            ("src/app.js", template!("javascript/app.batch.js.in")),
            ("src/note.js", template!("javascript/note.batch.js.in")),
            ("tests/note.test.js", template!("javascript/note.test.batch.js.in")),
            ("src/exchange.js", template!("javascript/exchange.js.in")),
            ("tests/exchange.test.js", template!("javascript/exchange.test.js.in")),
        ],
    }
}

/// Returns the files of a new project.
pub fn files(name: &str, language: Language, kind: StageKind) -> Vec<File> {
    let cases: &[(&str, &str)] = match kind {
        StageKind::Asset => &[
            ("cases/a-photo/case.json", template!("common/case.asset.json.in")),
            ("cases/a-photo/expected.json", template!("common/expected.asset.json.in")),
            ("cases/deleted-meanwhile/case.json", template!("common/missing.asset.json.in")),
            ("cases/deleted-meanwhile/expected.json", template!("common/expected.missing.json.in")),
        ],
        StageKind::Batch => &[
            ("cases/a-photo/case.json", template!("common/case.batch.json.in")),
            ("cases/a-photo/expected.json", template!("common/expected.batch.json.in")),
        ],
    };
    let values = values(name, language, kind);
    let texts = COMMON.iter().chain(of_language(language, kind)).chain(cases);
    let mut files: Vec<_> =
        texts.map(|(path, text)| File { path: (*path).to_owned(), bytes: filled(text, &values).into() }).collect();
    files.push(File { path: "cases/a-photo/photo.jpg".into(), bytes: PHOTO.to_vec() });
    // As `wkg wit fetch` lays dependencies out.
    files.extend(WIT_FILES.iter().map(|(file, text)| File {
        path: format!("wit/deps/toq-media-{CONTRACT_VERSION}/{file}"),
        bytes: text.as_bytes().to_vec(),
    }));
    files
}

/// Fills in the values.
fn filled(text: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

fn values(name: &str, language: Language, kind: StageKind) -> Vec<(&'static str, String)> {
    let mut title = name.replace('-', " ");
    title[..1].make_ascii_uppercase();
    let (world, does) = match kind {
        StageKind::Asset => ("custom", "writes a line of text beside every photo."),
        StageKind::Batch => ("custom-batch", "counts the files of a batch."),
    };
    // How the language's own tools are installed and run.
    let (install, tools, tests, logic, glue) = match language {
        Language::Rust => (
            "rustup target add wasm32-wasip2   # once\n",
            "      - run: rustup target add wasm32-wasip2",
            "cargo test",
            "src/note.rs",
            "src/component.rs",
        ),
        Language::Python => (
            "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt   # once\n",
            "      - run: python3 -m venv .venv && .venv/bin/pip install -r requirements.txt",
            "python3 -m unittest discover tests",
            "src/note.py",
            "src/app.py",
        ),
        Language::Javascript => {
            ("npm install   # once\n", "      - run: npm install", "node --test", "src/note.js", "src/app.js")
        }
    };
    // An interpreter takes more memory than a stage in Rust.
    let memory = if language == Language::Rust { "64" } else { "256" };
    let exchange = match language {
        Language::Rust => "",
        Language::Python => {
            "| `src/exchange.py` | For long bodies over HTTP; delete it and its test if the stage has none |\n"
        }
        Language::Javascript => {
            "| `src/exchange.js` | For long bodies over HTTP; delete it and its test if the stage has none |\n"
        }
    };
    let texts = [
        ("name", name),
        ("title", title.as_str()),
        ("world", world),
        ("contract", CONTRACT_VERSION),
        ("does", does),
        ("install", install),
        ("ci_tools", tools),
        ("unit_tests", tests),
        ("logic", logic),
        ("glue", glue),
        ("exchange", exchange),
        ("memory", memory),
        ("language_name", language.title()),
    ];
    let mut values: Vec<_> = texts.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    values.push(("language", language.title().to_lowercase()));
    values.push(("state", state_name(name)));
    values.push(("component", language.component(name)));
    values
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;
    use crate::settings::file::ConfigFile;

    const ALL: [(Language, StageKind); 6] = [
        (Language::Rust, StageKind::Asset),
        (Language::Rust, StageKind::Batch),
        (Language::Python, StageKind::Asset),
        (Language::Python, StageKind::Batch),
        (Language::Javascript, StageKind::Asset),
        (Language::Javascript, StageKind::Batch),
    ];

    fn text_of(files: &[File], path: &str) -> String {
        let file = files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}"));
        String::from_utf8(file.bytes.clone()).unwrap()
    }

    #[test]
    fn nothing_is_left_to_fill_in_and_every_json_is_one() {
        for (language, kind) in ALL {
            for file in files("line-notes", language, kind).iter().filter(|file| !file.path.ends_with(".jpg")) {
                let text = std::str::from_utf8(&file.bytes).unwrap();
                let left = text.split("{{").skip(1).find(|rest| {
                    rest.split("}}").next().is_some_and(|name| {
                        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
                    })
                });
                assert_eq!(left, None, "{language} {kind:?} {}", file.path);
                if file.path.ends_with(".json") {
                    serde_json::from_str::<serde_json::Value>(text)
                        .unwrap_or_else(|error| panic!("{}: {error}", file.path));
                }
            }
        }
    }

    #[test]
    fn the_world_of_a_project_is_one_of_the_contract() {
        let files = files("line-notes", Language::Python, StageKind::Batch);
        let mut sources = wit_parser::SourceMap::default();
        for (name, text) in WIT_FILES {
            sources.push_str(name, text);
        }
        let mut resolve = wit_parser::Resolve::default();
        let contract = sources.parse().map_err(|(_, error)| format!("{error}")).unwrap();
        resolve.push_group(contract).unwrap();
        let package = resolve.push_source("world.wit", &text_of(&files, "wit/world.wit")).unwrap();
        let world = resolve.select_world(&[package], Some("stage")).unwrap();
        assert!(resolve.worlds[world].imports.len() > 3, "it includes a world of the contract");
    }

    #[test]
    fn the_settings_of_a_project_fit_its_state() {
        for (language, kind) in ALL {
            let files = files("line-notes", language, kind);
            let state: serde_json::Value = serde_json::from_str(&text_of(&files, "pipeline/state.json")).unwrap();
            assert_eq!(state["CheckBranches"]["Default"], "RunLineNotes");
            let schema = crate::settings::schema::schema(&["RunLineNotes".to_owned()], &[]).unwrap();
            let settings = text_of(&files, "pipeline/settings.json");
            ConfigFile::of_text(Path::new("settings.json"), settings, &schema).unwrap();
        }
    }
}
