//! What the story is played on: a directory that goes away, the stand-in servers, and a real gateway.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pinfold_certs::{CaOptions, CertificateAuthority};
use pinfold_config::{Config, Loaded};
use pinfold_policy::host::Host;
use pinfold_proxy::Clock;
use pinfold_store::Store;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::CertifiedKey;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::configuration::today;
use crate::demo::artifacts::{CHAT_HOST, DOWNLOAD_HOST, LOOK_ALIKE_HOST, SIGNER};
use crate::demo::client::Way;
use crate::demo::gateway::Running;
use crate::demo::origin::Origin;
use crate::demo::settings::{self, PUBLIC_ROOT, Setting};
use crate::demo::{Doing as _, gateway, interrupted};
use crate::failure::Failure;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// The stage. [`Stage::strike`] leaves nothing of it behind; so does dropping it, with less care.
pub(crate) struct Stage {
    /// The vendor's servers.
    pub(crate) vendor: Origin,
    /// The server of the host that looks like the vendor's.
    pub(crate) look_alike: Origin,
    /// With what the vendor signs its installers.
    pub(crate) signer: Arc<CertifiedKey>,
    public_root: CertificateDer<'static>,
    stop: CancellationToken,
    gateway: Option<Running>,
    // Last, since fields are dropped in order: what writes there ends first.
    dir: TempDir,
}

impl Stage {
    /// Sets the stage, without the gateway. `stop` ends every wait on it.
    pub(crate) async fn set(stop: CancellationToken) -> Result<Self, Failure> {
        let dir =
            tempfile::Builder::new().prefix("pinfold-demo-").tempdir().doing("make a temporary directory")?;
        let ca = public_authority(&dir.path().join("stand-in-public-ca"))?;
        let root = dir.path().join(PUBLIC_ROOT);
        std::fs::write(&root, ca.root_pem()).doing("write the stand-in root")?;
        let vendor = vec![(CHAT_HOST, leaf(&ca, CHAT_HOST)?), (DOWNLOAD_HOST, leaf(&ca, DOWNLOAD_HOST)?)];
        let stage = Self {
            vendor: Origin::open(vendor).await?,
            look_alike: Origin::open(vec![(LOOK_ALIKE_HOST, leaf(&ca, LOOK_ALIKE_HOST)?)]).await?,
            signer: leaf(&ca, SIGNER)?,
            public_root: certificate(ca.root_pem())?,
            stop,
            gateway: None,
            dir,
        };
        let text = settings::file(&stage.settings());
        std::fs::write(stage.file("pinfold.toml"), text).doing("write pinfold.toml")?;
        std::fs::write(stage.pins_file(), "").doing("write pins.toml")?;
        Ok(stage)
    }

    /// The settings in `pinfold.toml`.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        settings::settings(self.vendor.address(), self.look_alike.address())
    }

    pub(crate) fn pins_file(&self) -> PathBuf {
        self.file("pins.toml")
    }

    /// Reads the files as they are now.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        Ok(pinfold_config::load(&self.file("pinfold.toml"), today())?)
    }

    /// Starts the gateway.
    pub(crate) async fn open_gateway(&mut self, config: Config) -> Result<(), Failure> {
        self.gateway = Some(gateway::start(config, Clock::system()).await?);
        Ok(())
    }

    /// The way of a computer whose proxy is the gateway.
    pub(crate) fn through_the_gateway(&self) -> Result<Way, Failure> {
        let gateway = self.running()?;
        Way::through(gateway.proxy, certificate(&gateway.root_pem)?, self.stop.clone())
    }

    /// The way of a computer that goes straight to a server.
    pub(crate) fn straight_to(&self, server: &Origin) -> Result<Way, Failure> {
        Way::straight(server.address(), self.public_root.clone(), self.stop.clone())
    }

    /// The store, beside the gateway: as the commands of reviewers open it.
    pub(crate) async fn review_desk(&self) -> Result<Store, Failure> {
        Ok(Store::open_beside(&self.running()?.data_dir).await?)
    }

    /// Fails once somebody wants the story to end.
    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        if self.stop.is_cancelled() { Err(interrupted()) } else { Ok(()) }
    }

    /// Ends everything and removes the directory.
    pub(crate) async fn strike(self) -> Result<(), Failure> {
        let Self { gateway, dir, .. } = self;
        let stopped = match gateway {
            Some(gateway) => gateway.stop().await,
            None => Ok(()),
        };
        let path = dir.path().to_owned();
        dir.close().doing(format!("remove {}", path.display()))?;
        stopped
    }

    fn running(&self) -> Result<&Running, Failure> {
        self.gateway.as_ref().ok_or("it does not run yet").doing("use the gateway")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Stands in for the public certificate authorities. They would give the look-alike a certificate too.
pub(super) fn public_authority(dir: &Path) -> Result<CertificateAuthority, Failure> {
    let options = CaOptions {
        vendor_hosts: Vec::new(),
        own_hosts: Vec::new(),
        name_constraints: false,
        leaf_lifetime: HOUR,
        root_key: None,
    };
    Ok(CertificateAuthority::open(dir, &options, SystemTime::now())?.ca)
}

pub(super) fn leaf(ca: &CertificateAuthority, host: &str) -> Result<Arc<CertifiedKey>, Failure> {
    let host = Host::parse(host).doing(format!("make a certificate for {host}"))?;
    Ok(ca.leaf(&host, SystemTime::now())?)
}

pub(super) fn certificate(pem: &str) -> Result<CertificateDer<'static>, Failure> {
    CertificateDer::from_pem_slice(pem.as_bytes()).doing("read a root")
}
