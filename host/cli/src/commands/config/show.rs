//! `stagehost config show`: every setting, its default and where its value comes from.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use comfy_table::Table;
use serde_json::{Value, json};

use super::args::StatesArgs;
use crate::exit::Exit;
use crate::output::printer::Printer;
use crate::output::table::{self, table};
use crate::settings::file::{ConfigFile, unknown_state};
use crate::settings::inventory::{Group, KnownState, Origin, Setting, of_environment, of_file};
use crate::settings::schema::schema;
use crate::settings::stage_schema::{StageSource, of_state};

const HEADINGS: [&str; 4] = ["Setting", "Value", "Default", "From"];

#[derive(Args)]
#[command(after_help = "\
Exit codes: 0 printed, 2 wrong usage, or a file that is missing or has a wrong setting.

Examples:

  stagehost config show
  stagehost config show --config my.json GenerateThumbnails
  stagehost config show --config my.json --json")]
pub struct ShowArgs {
    /// Only the settings of this state
    state: Option<String>,

    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    states: StatesArgs,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If the configuration does not fit, or there is no such state.
pub fn show(args: &ShowArgs, printer: &Printer) -> Result<Exit> {
    let overrides = &args.states.stages_named;
    let mut states = args.states.states()?;
    let schema = schema(&states, overrides)?;
    let file = ConfigFile::read(args.config.as_deref(), &states, overrides)?;
    if let Some(wanted) = &args.state {
        if !states.contains(wanted) {
            return Err(unknown_state(wanted, &states));
        }
        states.retain(|state| state == wanted);
    }
    let known = states.into_iter().map(|state| of_state(&state, overrides).map(|known| (state, known)));
    let known: Vec<KnownState> = known.collect::<Result<_>>()?;
    let mut settings = of_file(&file, &schema, &known);
    if args.state.is_some() {
        settings.retain(|setting| setting.group != Group::Batch);
    } else {
        settings.extend(of_environment(|name| std::env::var(name).ok()));
    }
    let unchecked = unchecked(&known);
    if args.json {
        let notes: Vec<_> = unchecked.iter().map(|(state, why)| json!({"state": state, "why": why})).collect();
        let document = json!({"file": file.path, "settings": settings, "unchecked": notes});
        printer.document(&document);
    } else {
        printer.line(text(table(&HEADINGS), &settings, &unchecked));
    }
    Ok(Exit::Success)
}

/// Returns the states whose stage has no schema, and what that means.
fn unchecked(states: &[KnownState]) -> Vec<(String, String)> {
    let without = states.iter().filter(|(_, known)| known.schema.is_none());
    without
        .map(|(state, known)| {
            let why = match &known.source {
                StageSource::File(file) => {
                    format!("{} has no schema of its settings: they are passed on unchecked", file.display())
                }
                StageSource::Release(stage) => format!("the stage {stage} has no schema of its settings"),
                StageSource::Missing => format!("no stage is known for it; name one with --stage {state}=FILE"),
            };
            (state.clone(), why)
        })
        .collect()
}

/// Returns the settings as a table, and what is not checked.
fn text(mut table: Table, settings: &[Setting], unchecked: &[(String, String)]) -> String {
    let mut group = None;
    for setting in settings {
        if group != Some(&setting.group) {
            table.add_row([heading(&setting.group)]);
            group = Some(&setting.group);
        }
        table.add_row([format!("  {}", setting.name), value(setting), plain(setting.default.as_ref()), from(setting)]);
    }
    let notes: String = unchecked.iter().map(|(state, why)| format!("\n{state}: {why}")).collect();
    table::text(table) + &notes
}

fn heading(group: &Group) -> &str {
    match group {
        Group::Batch => "batch",
        Group::State(state) => state,
        Group::Command => "Variables of the command",
        Group::Function => "Variables of the function",
    }
}

fn value(setting: &Setting) -> String {
    match &setting.from {
        Origin::Environment { secret: true, .. } => "(set, not shown)".to_owned(),
        _ => plain(setting.value.as_ref()),
    }
}

/// Returns a value as one writes it, but texts without quotes and lists without brackets.
fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) if items.is_empty() => "(empty)".to_owned(),
        Some(Value::Array(items)) => {
            let items: Vec<_> = items.iter().map(|item| plain(Some(item))).collect();
            items.join(", ")
        }
        Some(Value::Object(fields)) => {
            let fields: Vec<_> = fields.iter().map(|(name, field)| format!("{name} {}", plain(Some(field)))).collect();
            fields.join(" ")
        }
        Some(other) => other.to_string(),
    }
}

fn from(setting: &Setting) -> String {
    match &setting.from {
        Origin::Default => "default".to_owned(),
        Origin::Rule { rule } => rule.trim_end_matches('.').to_owned(),
        Origin::File { file, position: Some(position), .. } => format!("{}:{position}", file.display()),
        Origin::File { file, pointer, position: None } => format!("{}{pointer}", file.display()),
        Origin::Option { option } => option.clone(),
        Origin::Environment { .. } => "environment".to_owned(),
    }
}

#[cfg(test)]
#[path = "show_tests.rs"]
mod tests;
