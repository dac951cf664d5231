//! An identity provider that says whatever a test wants it to, signed by its key or by another.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};

use crate::gateway::target_dir;
use crate::{eventually, sha256_hex};

/// The secret of its one client.
pub const CLIENT_SECRET: &str = "the secret of a client, long enough to be a key";

/// A provider on loopback, in clear text.
#[derive(Debug)]
pub struct Vouching {
    /// As its metadata and tokens name it.
    pub issuer: String,
    key: KeyPair,
    says: Arc<Mutex<Says>>,
}

/// What it answers.
#[derive(Clone, Debug)]
struct Says {
    metadata: Value,
    keys: Value,
    /// Status, further fields of the head, and body.
    token: (u16, String, String),
    hangs: bool,
    /// The forms that came to its token endpoint, with their heads.
    posted: Vec<String>,
}

/// One that listens, and gives no token yet.
pub async fn vouching() -> Vouching {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let key = KeyPair::generate().unwrap();
    let point = key.der_bytes();
    let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
    let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": "one", "use": "sig", "x": part(1..33), "y": part(33..65) });
    let says = Says {
        metadata: json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
        }),
        keys: json!({ "keys": [jwk] }),
        token: (400, String::new(), String::new()),
        hangs: false,
        posted: Vec::new(),
    };
    let says = Arc::new(Mutex::new(says));
    let answers = Arc::clone(&says);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&answers)));
        }
    });
    Vouching { issuer, key, says }
}

async fn serve(mut stream: TcpStream, says: Arc<Mutex<Says>>) {
    let mut asked = String::new();
    loop {
        let mut piece = [0; 4096];
        let Ok(len @ 1..) = stream.read(&mut piece).await else { return };
        asked.push_str(&String::from_utf8_lossy(&piece[..len]));
        let Some((head, body)) = asked.split_once("\r\n\r\n") else { continue };
        let length = head.to_lowercase().split_once("content-length: ").map(|(_, rest)| rest.to_owned());
        let length = length.and_then(|rest| rest.lines().next()?.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            break;
        }
    }
    if says.lock().unwrap().hangs {
        // Until whoever asked hangs up.
        while stream.read(&mut [0; 64]).await.is_ok_and(|len| len > 0) {}
        return;
    }
    let path = asked.split(' ').nth(1).unwrap_or_default().to_owned();
    let (status, head, body) = {
        let mut says = says.lock().unwrap();
        match &*path {
            "/.well-known/openid-configuration" => (200, String::new(), says.metadata.to_string()),
            "/keys" => (200, String::new(), says.keys.to_string()),
            "/token" => {
                says.posted.push(asked);
                says.token.clone()
            }
            _ => {
                says.posted.push(asked);
                (404, String::new(), String::new())
            }
        }
    };
    let answer = format!(
        "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{head}\r\n{body}",
        body.len()
    );
    drop(stream.write_all(answer.as_bytes()).await);
    drop(stream.shutdown().await);
}

/// Now, in seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Vouching {
    /// What a good token says of somebody.
    #[must_use]
    pub fn claims(&self, sub: &str, nonce: &str, group: &str) -> Value {
        json!({
            "iss": self.issuer, "aud": "pinfold", "sub": sub, "nonce": nonce, "groups": [group], "preferred_username": "ada",
            "iat": now(), "exp": now() + 300, "auth_time": now(),
        })
    }

    /// The same, signed.
    #[must_use]
    pub fn signed(&self, claims: &Value) -> String {
        signed_by(&self.key, claims)
    }

    /// Gives this token for any code.
    pub fn gives(&self, token: &str) {
        let body = json!({ "access_token": "a", "token_type": "Bearer", "id_token": token });
        self.answers(200, "", &body.to_string());
    }

    /// Answers so where a code is handed in.
    pub fn answers(&self, status: u16, head: &str, body: &str) {
        self.says.lock().unwrap().token = (status, head.to_owned(), body.to_owned());
    }

    /// Says something else of itself.
    pub fn says_of_itself(&self, key: &str, value: impl Into<Value>) {
        self.says.lock().unwrap().metadata[key] = value.into();
    }

    /// Takes what is asked, and answers nothing.
    pub fn hangs(&self) {
        self.says.lock().unwrap().hangs = true;
    }

    /// What came to its token endpoint, and to places that it does not have.
    #[must_use]
    pub fn posted(&self) -> Vec<String> {
        self.says.lock().unwrap().posted.clone()
    }
}

/// A token by a key that is named as the provider's.
#[must_use]
pub fn signed_by(key: &KeyPair, claims: &Value) -> String {
    let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::ES256) };
    encode(&header, claims, &EncodingKey::from_ec_der(&key.serialize_der())).unwrap()
}

/// A token by a shared secret.
#[must_use]
pub fn signed_by_secret(claims: &Value) -> String {
    let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::HS256) };
    encode(&header, claims, &EncodingKey::from_secret(CLIENT_SECRET.as_bytes())).unwrap()
}

/// A token that nobody signed.
#[must_use]
pub fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT", "kid": "one" })), part(claims))
}

/// A real provider, run by Node; ended when dropped.
#[derive(Debug)]
pub struct RealProvider {
    /// Its URL.
    pub issuer: String,
    node: Child,
    says: Lines<BufReader<ChildStdout>>,
}

/// Starts it. It answers once it knows where browsers come back to.
pub async fn real_provider() -> RealProvider {
    let mut node = Command::new("node")
        .args(["provider.mjs", CLIENT_SECRET])
        .current_dir(installed())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut says = BufReader::new(node.stdout.take().unwrap()).lines();
    let port = eventually("the identity provider", says.next_line()).await.unwrap().unwrap();
    RealProvider { issuer: format!("http://127.0.0.1:{port}"), node, says }
}

impl RealProvider {
    /// Tells it where browsers come back to, for a client with [`CLIENT_SECRET`].
    pub async fn comes_back_to(mut self, redirect_uri: &str) -> Child {
        let mut stdin = self.node.stdin.take().unwrap();
        stdin.write_all(format!("{redirect_uri}\n").as_bytes()).await.unwrap();
        while eventually("the identity provider", self.says.next_line()).await.unwrap().unwrap() != "ready" {}
        // It goes on to say things, and ends where nobody listens.
        tokio::spawn(async move { while let Ok(Some(_)) = self.says.next_line().await {} });
        self.node
    }
}

/// Where it is, with what it needs, as its lock file has it. Installed aside and renamed, so that no other test process ever
/// sees half of it.
fn installed() -> PathBuf {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let files = ["package.json", "package-lock.json", "provider.mjs"];
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("provider");
    let contents = files.map(|file| std::fs::read(from.join(file)).unwrap());
    let fixtures = target_dir().join("fixtures");
    let mark = sha256_hex(contents.concat());
    let there = fixtures.join(format!("provider-{mark}"));
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if there.exists() {
        return there;
    }
    std::fs::create_dir_all(&fixtures).unwrap();
    let aside = tempfile::tempdir_in(&fixtures).unwrap();
    for (file, contents) in files.iter().zip(contents) {
        std::fs::write(aside.path().join(file), contents).unwrap();
    }
    let mut npm = std::process::Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).current_dir(aside.path());
    let output = npm.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{npm:?}: {}", String::from_utf8_lossy(&output.stderr));
    // Another process may have been faster.
    drop(std::fs::rename(aside.keep(), &there));
    there
}
