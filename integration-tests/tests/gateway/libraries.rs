//! Real published scripts: every version passes where it is pinned, and none where another is.

use pinfold_integration_tests::fixtures::LIBRARIES;
use pinfold_integration_tests::{Answer, Coding, client, gateway, sha384, vendor};

use crate::{refused, verified};

#[tokio::test]
async fn every_version_passes_where_it_is_pinned() {
    let vendor = vendor().listen().await;
    let mut builder = gateway().vendor(&vendor);
    let mut published = Vec::new();
    for library in LIBRARIES {
        for release in library.versions() {
            let path = format!("/{}@{}/{}", library.package, release.version, release.path);
            vendor.serve(&path, Answer::script(release.script.clone()).encoded(Coding::Gzip));
            builder = builder.pin(vendor.url(&path), sha384(&release.script));
            published.push((path, release.script));
        }
    }
    let gateway = builder.listen().await;

    for client in [client(&gateway).accepting("br"), client(&gateway).accepting("gzip").http2()] {
        for (path, script) in &published {
            verified(&client.get(vendor.url(path)).await, script);
        }
    }
}

#[tokio::test]
async fn the_next_version_is_refused_where_one_is_pinned() {
    let vendor = vendor().listen().await;
    let mut builder = gateway().vendor(&vendor);
    let mut paths = Vec::new();
    for library in LIBRARIES {
        for pair in library.versions().windows(2) {
            let path = format!("/{}@{}/{}", library.package, pair[0].version, pair[0].path);
            vendor.serve(&path, Answer::script(pair[1].script.clone()).encoded(Coding::Br));
            builder = builder.pin(vendor.url(&path), sha384(&pair[0].script));
            paths.push(path);
        }
    }
    let gateway = builder.listen().await;

    for path in paths {
        refused(&client(&gateway).get(vendor.url(&path)).await, 403, "quarantined", "digest-mismatch");
    }
}
