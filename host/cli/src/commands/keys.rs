//! `stagehost keys`: the keys that stages and pins are signed with.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::exit::Exit;
use crate::signing::args::KeyringArgs;

#[derive(Subcommand)]
#[command(after_help = "Example: a key, and what the template's parameter TrustedKeys takes\n\n  \
    stagehost keys new release\n  stagehost keys list")]
pub enum KeysCommand {
    /// Make a key; prints its public half, which TRUSTED_KEYS takes
    New(NewArgs),
    /// List the keys there are
    List(ListArgs),
}

#[derive(Args)]
pub struct NewArgs {
    /// What to call it
    name: String,

    #[command(flatten)]
    keyring: KeyringArgs,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
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
pub fn keys(command: KeysCommand) -> Result<Exit> {
    match command {
        KeysCommand::New(args) => new(args),
        KeysCommand::List(args) => list(args),
    }
}

fn new(args: NewArgs) -> Result<Exit> {
    let keyring = args.keyring.open()?;
    let public = keyring.create(&args.name)?;
    if args.json {
        println!("{:#}", json!({"name": args.name, "id": public.id(), "public": public.to_string()}));
    } else {
        println!("{public}");
        eprintln!(
            "key {} ({}); its private half is in {}, for you alone",
            args.name,
            public.id(),
            keyring.folder().display()
        );
    }
    Ok(Exit::Success)
}

fn list(args: ListArgs) -> Result<Exit> {
    let keyring = args.keyring.open()?;
    let (private, public) = (keyring.names()?, keyring.public()?);
    if args.json {
        let keys: Vec<_> = public
            .iter()
            .map(|(name, key)| {
                json!({"name": name, "id": key.id(), "public": key.to_string(), "signs": private.contains(name)})
            })
            .collect();
        println!("{:#}", json!(keys));
        return Ok(Exit::Success);
    }
    for (name, key) in &public {
        let signs = if private.contains(name) { "" } else { "  (public half only)" };
        println!("{name}  {}  {key}{signs}", key.id());
    }
    if public.is_empty() {
        eprintln!("there are no keys in {}; `stagehost keys new NAME` makes one", keyring.folder().display());
    }
    Ok(Exit::Success)
}
