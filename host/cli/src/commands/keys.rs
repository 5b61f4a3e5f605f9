//! `stagehost keys`: makes and lists the keys that stages and pins are signed with.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::console::printer::Printer;
use crate::exit::Exit;
use crate::signing::args::KeyringArgs;

#[derive(Subcommand)]
#[command(after_help = "\
Examples:

  stagehost keys new release
  stagehost keys list

The first prints the public key, for the template's parameter TrustedKeys.")]
pub enum KeysCommand {
    /// Make a key, and print its public half for TRUSTED_KEYS
    New(NewArgs),
    /// List the keys
    List(ListArgs),
}

#[derive(Args)]
#[command(after_help = "Examples:\n\n  stagehost keys new release\n  stagehost keys new release --keys ~/keys --json")]
pub struct NewArgs {
    /// Its name
    name: String,

    #[command(flatten)]
    keyring: KeyringArgs,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:\n\n  stagehost keys list\n  stagehost keys list --keys ~/keys --json")]
pub struct ListArgs {
    #[command(flatten)]
    keyring: KeyringArgs,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs a command.
///
/// # Errors
/// If a key cannot be made or read.
pub fn keys(command: KeysCommand, printer: &Printer) -> Result<Exit> {
    match command {
        KeysCommand::New(args) => new(args, printer),
        KeysCommand::List(args) => list(args, printer),
    }
}

fn new(args: NewArgs, printer: &Printer) -> Result<Exit> {
    let keyring = args.keyring.open()?;
    let public = keyring.create(&args.name)?;
    if args.json {
        printer.document(&json!({"name": args.name, "id": public.id(), "public": public.to_string()}));
    } else {
        printer.line(public);
        printer.note(format_args!(
            "key {} ({}); its private half is in {}, for you alone",
            args.name,
            public.id(),
            keyring.folder().display()
        ));
    }
    Ok(Exit::Success)
}

fn list(args: ListArgs, printer: &Printer) -> Result<Exit> {
    let keyring = args.keyring.open()?;
    let (private, public) = (keyring.names()?, keyring.public()?);
    if args.json {
        let keys: Vec<_> = public
            .iter()
            .map(|(name, key)| {
                json!({"name": name, "id": key.id(), "public": key.to_string(), "signs": private.contains(name)})
            })
            .collect();
        printer.document(&keys);
        return Ok(Exit::Success);
    }
    for (name, key) in &public {
        let signs = if private.contains(name) { "" } else { "  (public half only)" };
        printer.line(format_args!("{name}  {}  {key}{signs}", key.id()));
    }
    if public.is_empty() {
        printer.note(format_args!(
            "there are no keys in {}; `stagehost keys new NAME` makes one",
            keyring.folder().display()
        ));
    }
    Ok(Exit::Success)
}
