#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use super::*;
use crate::settings::stage_schema::StageSettings;

const FILE: &str = r#"{
  "batch": {"maxFiles": 12},
  "states": {
    "GenerateThumbnails": {
      "config": {"widths": [200, 400, 800, 1200], "quality": 80},
      "limits": {"memoryMib": 768}
    },
    "AddNotes": {"config": {"colour": "red"}}
  }
}"#;

/// Returns a part of a real inventory: some states, and variables that need no machine's value.
fn shown(width: u16) -> String {
    let states = ["GenerateThumbnails".to_owned(), "AddNotes".to_owned()];
    // No such file has to be read: what is known of it is said here.
    let foreign = StageSettings { source: StageSource::File(PathBuf::from("notes.wasm")), schema: None };
    let schema = schema(&states, &[]).unwrap();
    let file = ConfigFile::of_text(Path::new("my.json"), FILE.to_owned(), &schema).unwrap();
    let known = vec![(states[0].clone(), of_state(&states[0], &[]).unwrap()), (states[1].clone(), foreign)];
    let mut settings = of_file(&file, &schema, &known);
    let variables = of_environment(|name| match name {
        "CALLBACK_SECRET" => Some("hush".to_owned()),
        "PINS_MAX_AGE" => Some("9".to_owned()),
        _ => None,
    });
    let few = ["STAGEHOST_LOG", "CALLBACK_SECRET", "PINS_MAX_AGE", "MEDIA_BUCKET"];
    settings.extend(variables.into_iter().filter(|variable| few.contains(&variable.name.as_str())));
    let mut table = table(&HEADINGS);
    table.set_width(width);
    text(table, &settings, &unchecked(&known))
}

#[test]
fn the_table_fits_eighty_columns() {
    insta::assert_snapshot!(shown(80));
}

#[test]
fn the_table_fits_sixty_columns() {
    insta::assert_snapshot!(shown(60));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [60, 80, 120] {
        for line in shown(width).lines().filter(|line| !line.contains("passed on unchecked")) {
            assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
        }
    }
}
