//! `stagehost completions`: what a shell needs to complete this command.

use anyhow::Result;
use clap::{Args, Command};
use clap_complete::Shell;

use crate::exit::Exit;
use crate::output::printer::Printer;

/// Print the script with which a shell completes commands and options
#[derive(Args)]
#[command(after_help = "\
Exit codes: 0 printed, 2 wrong usage.

Examples, each for one user; then open a new shell:

  # bash
  mkdir -p ~/.local/share/bash-completion/completions
  cd ~/.local/share/bash-completion/completions
  stagehost completions bash > stagehost

  # zsh; ~/.zshrc says before compinit: fpath+=~/.zfunc
  mkdir -p ~/.zfunc
  stagehost completions zsh > ~/.zfunc/_stagehost

  # fish
  cd ~/.config/fish/completions
  stagehost completions fish > stagehost.fish

  # PowerShell
  stagehost completions powershell >> $PROFILE

  # elvish
  stagehost completions elvish >> ~/.config/elvish/rc.elv

In an open bash:

  source <(stagehost completions bash)")]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script that completes `command`.
///
/// # Errors
/// Never; the type is that of all commands.
pub fn completions(args: &CompletionsArgs, mut command: Command, printer: &Printer) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "stagehost", &mut script);
    printer.line(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Success)
}
