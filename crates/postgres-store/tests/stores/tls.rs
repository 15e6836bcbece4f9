use messaging::store::EventStore;
use postgres_server::Options;
use postgres_store::Store;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use crate::contract::{event, order};
use crate::database::{self, texts};

#[test]
fn a_store_speaks_tls_with_a_server_whose_authority_it_knows() {
    let server = database::start_with(Options::default().with_tls());
    let store = Store::open(&server.url()).unwrap();
    store.events().append(&order("7f3a"), 0, &[event("created")], None).unwrap();
    assert_eq!(store.events().load(&order("7f3a")), Ok(vec![event("created")]));
    let versions = "SELECT DISTINCT version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'orderflow'";
    assert_eq!(texts(&server.url(), versions), ["TLSv1.3"]);
}

#[test]
fn a_server_of_another_authority_is_refused() {
    let server = database::start_with(Options::default().with_tls());
    let folder = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let other = folder.path().join("other.pem");
    std::fs::write(&other, params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()).unwrap();
    let ca = server.ca_file().unwrap().to_str().unwrap();
    let refused = |url: &str, reason: &str| {
        let error = Store::open(url).map(drop).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    let url = server.url();
    refused(&url.replace(ca, other.to_str().unwrap()), "TLS: invalid peer certificate");
    // It is not of the system's authorities either, and not for this name.
    refused(url.split_once("&sslrootcert").unwrap().0, "TLS: invalid peer certificate: UnknownIssuer");
    refused(&url.replace("127.0.0.1", "127.0.0.2"), "connection refused");
    refused(&url.replace(ca, "/nowhere/ca.pem"), "TLS: a file that the URL names: No such file or directory");
    // Without TLS this server lets nobody in.
    let (bare, _) = url.split_once('?').unwrap();
    refused(&format!("{bare}?sslmode=disable"), "postgres is not let in: no pg_hba.conf entry for host");
    // Asked for no certificate, it need not show the right one.
    Store::open(bare).unwrap();
}
