//! `stagehost keys`: makes and lists the keys that stages and pins are signed with, and says what each is for.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;
use stagehost_registry::{KeyRoles, TrustedKey};

use crate::exit::Exit;
use crate::output::printer::Printer;
use crate::signing::args::KeyringArgs;

#[derive(Subcommand)]
#[command(after_help = "\
Examples:

  stagehost keys new release
  stagehost keys new build --role stages
  stagehost keys list

The first two print the public key with its role, for the template's parameter TrustedKeys. Hosts go by the role there.")]
pub enum KeysCommand {
    /// Make a key, and print its public key for TRUSTED_KEYS
    New(NewArgs),
    /// List the keys with their roles
    List(ListArgs),
    /// Change a key's role
    Role(RoleArgs),
}

#[derive(Args)]
#[command(after_help = "Examples:\n\n  stagehost keys new release\n  stagehost keys new release --keys ~/keys --json")]
pub struct NewArgs {
    /// The key's name
    name: String,

    /// Its role: stages (to publish them), pins (to change them) or both
    #[arg(long, value_name = "ROLE", default_value_t = KeyRoles::Both)]
    role: KeyRoles,

    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Args)]
#[command(after_help = "\
Hosts go by their own TRUSTED_KEYS, so deploy with the line that this command prints.

Examples:

  stagehost keys role build stages")]
pub struct RoleArgs {
    /// The key's name
    name: String,

    /// Its new role: stages, pins or both
    role: KeyRoles,

    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Args)]
#[command(after_help = "Examples:\n\n  stagehost keys list\n  stagehost keys list --keys ~/keys --json")]
pub struct ListArgs {
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Args)]
struct CommonArgs {
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
        KeysCommand::Role(args) => role(args, printer),
    }
}

fn new(args: NewArgs, printer: &Printer) -> Result<Exit> {
    let keyring = args.common.keyring.open()?;
    let public = keyring.create(&args.name, args.role)?;
    if args.common.json {
        printer.document(&described(&args.name, &public));
    } else {
        printer.line(public);
        printer.note(format_args!(
            "key {} ({}); its private half is in {}, for you alone",
            args.name,
            public.key.id(),
            keyring.folder().display()
        ));
    }
    Ok(Exit::Success)
}

fn role(args: RoleArgs, printer: &Printer) -> Result<Exit> {
    let public = args.common.keyring.open()?.set_roles(&args.name, args.role)?;
    if args.common.json {
        printer.document(&described(&args.name, &public));
    } else {
        printer.line(public);
        printer.note("hosts go by their TRUSTED_KEYS; put this line there in place of the one before");
    }
    Ok(Exit::Success)
}

fn described(name: &str, public: &TrustedKey) -> serde_json::Value {
    json!({"name": name, "id": public.key.id(), "role": public.roles.name(), "public": public.to_string()})
}

fn list(args: ListArgs, printer: &Printer) -> Result<Exit> {
    let keyring = args.common.keyring.open()?;
    let (private, public) = (keyring.names()?, keyring.public()?);
    if args.common.json {
        let keys: Vec<_> = public
            .iter()
            .map(|(name, key)| {
                let mut key = described(name, key);
                key["signs"] = private.contains(name).into();
                key
            })
            .collect();
        printer.document(&keys);
        return Ok(Exit::Success);
    }
    for (name, key) in &public {
        let signs = if private.contains(name) { "" } else { "  (public half only)" };
        printer.line(format_args!("{name}  {}  {:<6}  {key}{signs}", key.key.id(), key.roles.name()));
    }
    if public.is_empty() {
        printer.note(format_args!(
            "there are no keys in {}; `stagehost keys new NAME` makes one",
            keyring.folder().display()
        ));
    }
    Ok(Exit::Success)
}
