//! The incident, step by step. Each step says what is about to be seen, does it, and marks what was seen.

mod after;
mod attack;

use std::net::Ipv4Addr;

use bytes::Bytes;
use pinfold_config::edit::{NewPin, add_pins};
use pinfold_policy::digest::{Digest, Digests};
use pinfold_policy::kind::Kind;
use pinfold_policy::pin::PinUrl;
use pinfold_policy::url::ArtifactUrl;
use pinfold_proxy::{Looked, Upstream};

use crate::demo::Doing as _;
use crate::demo::artifacts::{self, AGENT, CHAT};
use crate::demo::client::Computer;
use crate::demo::stage::Stage;
use crate::demo::teller::Teller;
use crate::failure::Failure;
use crate::wiring;

const RECEPTION: Computer = Computer { name: "reception", address: Ipv4Addr::new(127, 0, 0, 11) };
const SUPPORT_DESK: Computer = Computer { name: "support desk", address: Ipv4Addr::new(127, 0, 0, 12) };
const SALES_LAPTOP: Computer = Computer { name: "sales laptop", address: Ipv4Addr::new(127, 0, 0, 13) };
const COMPUTERS: [Computer; 3] = [RECEPTION, SUPPORT_DESK, SALES_LAPTOP];

/// The pages that want the files.
const SUPPORT_PAGE: &str = "https://intranet.example/support";
const DOWNLOAD_PAGE: &str = "https://www.comm100.example/download";

/// One release of the vendor's two files.
struct Release {
    chat: Bytes,
    agent: Bytes,
}

/// The story, and what its later steps need of the earlier ones.
pub(crate) struct Story<'a, 't> {
    stage: &'a mut Stage,
    teller: &'a mut Teller<'t>,
    /// The certificates of the chat and download hosts when the files were reviewed.
    certificates: Vec<String>,
    /// Who asked through the gateway for what nobody had reviewed, and at which URL: the ledger has to know as much.
    asked: Vec<(Computer, &'static str)>,
}

impl<'a, 't> Story<'a, 't> {
    /// A story that has not begun.
    pub(crate) fn new(stage: &'a mut Stage, teller: &'a mut Teller<'t>) -> Self {
        Self { stage, teller, certificates: Vec::new(), asked: Vec::new() }
    }

    /// Plays it from start to end.
    pub(crate) async fn play(mut self) -> Result<(), Failure> {
        let signer = &self.stage.signer;
        let reviewed = Release {
            chat: artifacts::chat_script("10.4.2"),
            agent: artifacts::installer("release 10.4.2", signer)?,
        };
        let changed = Release {
            chat: artifacts::changed_chat_script(),
            agent: artifacts::installer("release 10.4.2, with a back door", signer)?,
        };
        self.introduce()?;
        self.pin(&reviewed).await?;
        self.pass(&reviewed).await?;
        self.change_at_the_source(&changed).await?;
        self.refuse(&changed).await?;
        self.refuse_under_another_name(&changed).await?;
        self.refuse_the_second_stage(&changed).await?;
        self.answer_who(&reviewed, &changed).await?;
        self.go_back_to_normal(&reviewed).await
    }

    fn introduce(&mut self) -> Result<(), Failure> {
        let settings = self.stage.settings();
        let teller = &mut *self.teller;
        teller.heading("The Comm100 incident of September 2022, replayed on this machine")?;
        teller.paragraph(
            "What happened: Comm100 sells live chat. From 26 or 27 September 2022 (sources differ) until the \
             morning of the 29th, its own site handed out a desktop agent with a back door. The vendor's \
             signature on it was valid. Its JavaScript fetched more code from look-alike hosts. How many \
             companies received it is unknown: one anonymous source said a dozen.",
        )?;
        teller.paragraph(
            "What is real here: the gateway, its certificates, its records, and every connection below. What \
             stands in: the vendor, the attacker and the office's computers are parts of this program. Their \
             names end in .example, which belongs to nobody. The files are harmless text, since the real ones \
             and their hashes were not found in a public source. Nothing leaves this machine.",
        )?;
        teller.heading("Settings that differ from the defaults, and why")?;
        for setting in settings {
            teller.quoted(&setting.lines(), setting.why)?;
        }
        Ok(())
    }

    async fn pin(&mut self, reviewed: &Release) -> Result<(), Failure> {
        self.begin(
            "A reviewer pins the vendor's files",
            "The reviewer looks at what the vendor serves: a chat script and an installer. pinfold writes the \
             fingerprint of each into pins.toml (a SHA-256 digest, which changes when one byte does). That is \
             a pin: at this address, these bytes and no others.",
        )?;
        self.publish(reviewed);
        let config = self.stage.load()?.config;
        let upstream = Upstream::new(&wiring::settings(&config)?, Vec::new(), wiring::temporary());
        let upstream = upstream.doing("set up a look at the vendor")?;
        let files = [(CHAT, Kind::Script, &reviewed.chat), (AGENT, Kind::Installer, &reviewed.agent)];
        for (url, kind, bytes) in files {
            let looked = self.look(&upstream, url).await?;
            let digests = *looked.held.digests();
            let told = format!("{} was fetched from the vendor and pinned", file_name(url));
            self.teller.check(digests == Digests::of(bytes), &told, digests.sha256.to_string())?;
            self.teller.evidence(&format!("{} bytes, {}", looked.held.len(), digests.sha256))?;
            self.certificates.push(looked.path.fingerprint.as_deref().unwrap_or_default().to_owned());
            add_pins(&self.stage.pins_file(), &[new_pin(url, kind, &digests)?]).doing("write pins.toml")?;
        }
        let loaded = self.stage.load()?;
        let seen = loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        self.teller.check(
            loaded.warnings.is_empty(),
            "the files are in order, as 'pinfold check' says",
            seen,
        )?;
        self.stage.open_gateway(loaded.config).await
    }

    async fn look(&self, upstream: &Upstream, url: &str) -> Result<Looked, Failure> {
        let doing = format!("look at {url}");
        let parsed = ArtifactUrl::parse(url).doing(&doing)?;
        upstream.look(&parsed).await.doing(&doing)
    }

    async fn pass(&mut self, reviewed: &Release) -> Result<(), Failure> {
        self.begin(
            "The reviewed files pass",
            "The gateway runs. Three computers of the office have it as their proxy, and trust nothing else. \
             Each fetches both files.",
        )?;
        let way = self.stage.through_the_gateway()?;
        for computer in COMPUTERS {
            let chat = way.get(computer, CHAT, SUPPORT_PAGE).await?;
            let agent = way.get(computer, AGENT, DOWNLOAD_PAGE).await?;
            let ok = chat.is_verified(&reviewed.chat) && agent.is_verified(&reviewed.agent);
            let told = format!("{}: both files, verified, byte for byte the vendor's", shown(computer));
            self.teller.check(ok, &told, format!("{}; {}", chat.seen(), agent.seen()))?;
        }
        Ok(())
    }

    /// Begins a step, unless somebody wants the story to end.
    fn begin(&mut self, title: &str, text: &str) -> Result<(), Failure> {
        self.stage.go_on()?;
        self.teller.step(title, text)
    }

    /// The vendor serves this release from now on.
    fn publish(&self, release: &Release) {
        self.stage.vendor.publish(CHAT, "text/javascript; charset=utf-8", release.chat.clone());
        self.stage.vendor.publish(AGENT, "application/octet-stream", release.agent.clone());
    }
}

fn new_pin(url: &str, kind: Kind, digests: &Digests) -> Result<NewPin, Failure> {
    Ok(NewPin {
        url: PinUrl::parse(url).doing(format!("pin {url}"))?,
        digests: vec![Digest::Sha256(digests.sha256.0)],
        kind,
        release: Some("10.4.2".to_owned()),
        owner: Some("web-platform".to_owned()),
        reason: Some("chat on the support page; reviewed for the demo".to_owned()),
        added: None,
        expires: None,
    })
}

fn shown(computer: Computer) -> String {
    format!("{} ({})", computer.name, computer.address)
}

fn file_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}
