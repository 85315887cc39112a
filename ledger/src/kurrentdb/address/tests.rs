use super::*;

fn refused(text: &str) -> String {
    Address::parse(text).unwrap_err().to_string()
}

#[test]
fn what_is_understood_is_written_anew() {
    let cases = [
        (
            "esdb://localhost",
            "esdb://localhost:2113?tls=true&nodePreference=leader&discoveryInterval=50",
        ),
        (
            "ESDB://Node-1.example:1,node2,node3:65535/?TLS=false&gossipTIMEOUT=5000",
            "esdb://node-1.example:1,node2:2113,node3:65535?tls=false&nodePreference=leader&discoveryInterval=50&gossipTimeout=5000",
        ),
        (
            "kurrentdb+discover://cluster.example:2114?nodePreference=Leader&streams=vneid",
            "esdb+discover://cluster.example:2114?tls=true&nodePreference=leader&discoveryInterval=50",
        ),
        (
            "kdb://[::1]:9?tls=false&discoveryInterval=70&connectionName=node%201,%26x&keepAliveInterval=-1",
            "esdb://[::1]:9?tls=false&nodePreference=leader&discoveryInterval=70&connectionName=node%201%2C%26x&keepAliveInterval=-1",
        ),
    ];
    for (text, wanted) in cases {
        let address = Address::parse(text).unwrap();
        assert_eq!(address.for_client(), wanted);
        // The client must come to the same understanding of what it gets.
        let theirs: kurrentdb::ClientSettings = address.for_client().parse().unwrap();
        assert_eq!(theirs.hosts().len(), address.hosts.len());
        for (theirs, (host, port)) in theirs.hosts().iter().zip(&address.hosts) {
            assert_eq!((&theirs.host, theirs.port), (host, u32::from(*port)));
        }
        assert_eq!(theirs.is_secure_mode_enabled(), address.tls());
        assert_eq!(theirs.is_dns_discovery_enabled(), address.discover);
        assert!(theirs.is_tls_certificate_verification_enabled());
    }
    let name = Address::parse("esdb://x?streams=vneid2").unwrap();
    assert_eq!(name.name(), "vneid2");
}

#[test]
fn every_mistake_has_its_own_words() {
    let cases = [
        ("http://x", "does not begin with"),
        ("esdb:/x", "does not begin with"),
        ("esdb://admin:changeit@x", "credentials stand in it"),
        ("esdb://a:b@x,y:1", "credentials stand in it"),
        ("esdb://", "host number 1"),
        ("esdb://a,,b", "host number 2"),
        ("esdb://a:0", "host number 1"),
        ("esdb://a:65536", "host number 1"),
        ("esdb://a:+1", "host number 1"),
        ("esdb://[::1],b", "host number 1"),
        ("esdb://ex ample", "host number 1"),
        ("esdb+discover://a,b", "takes one name"),
        ("esdb://a/b", "a path"),
        ("esdb://a?tsl=false", "parameter 1 is not known: `tls`?"),
        (
            "esdb://a?tls=true&TlsVerifyCerts=true",
            "parameter 2 is not known: `tlsVerifyCert`?",
        ),
        ("esdb://a?frobnicate=1", "parameter 1 is not known"),
        ("esdb://a?defaultDeadline=1", "parameter 1 is not known"),
        ("esdb://a?tls=true&TLS=false", "`tls` stands there twice"),
        ("esdb://a?tls=False", "`true` or `false`"),
        ("esdb://a?tls", "`true` or `false`"),
        ("esdb://a?nodePreference=follower", "answer late"),
        ("esdb://a?keepAliveInterval=9999", "the client ignores less"),
        ("esdb://a?keepAliveTimeout=-2", "the client ignores less"),
        ("esdb://a?maxDiscoverAttempts=0", "1 to 100"),
        (
            "esdb://a?gossipTimeout=99999999999999999999999",
            "100 to 60000",
        ),
        ("esdb://a?connectionName=a%0Ab", "visible ASCII"),
        ("esdb://a?connectionName=%zz", "percent-encoding"),
        ("esdb://a?connectionName=%f", "percent-encoding"),
        ("esdb://a?connectionName=%ff", "percent-encoding"),
        ("esdb://a?streams=A-b", "small letters"),
        ("esdb://a?tlsCaFile=/nowhere/ca.pem", "no such file"),
        (
            "esdb://a?tls=false&tlsCaFile=Cargo.toml",
            "none of the kind",
        ),
        ("esdb://a?tlsVerifyCert=false", "this machine only"),
        (
            "esdb://localhost?tls=false&tlsVerifyCert=true",
            "says nothing",
        ),
    ];
    for (text, words) in cases {
        let error = refused(text);
        assert!(error.contains(words), "{text}: {error}");
    }
    assert!(Address::parse("esdb://127.0.0.1,localhost?tlsVerifyCert=false").is_ok());
    assert!(refused(&format!("esdb://{}", "a".repeat(3000))).contains("longer"));
    assert!(refused(&format!("esdb://{}", vec!["a"; 17].join(","))).contains("16 hosts"));
}

#[test]
fn nothing_that_was_typed_is_shown() {
    let secret = "hunter2secret";
    let cases = [
        format!("esdb://{secret}:{secret}@host"),
        format!("esdb://host?{secret}=1"),
        format!("esdb://host?tls={secret}"),
        format!("esdb://host?connectionName={secret}%00"),
        format!("esdb://ho st{secret}"),
        format!("{secret}://host"),
    ];
    for text in cases {
        let error = Address::parse(&text).unwrap_err();
        let shown = format!("{error} {error:?} {}", StoreError::from(error.clone()));
        assert!(!shown.contains(secret), "{shown}");
    }
    let address = Address::parse(&format!("esdb://{secret}?connectionName={secret}")).unwrap();
    assert!(!format!("{address:?}").contains(secret));
}

#[test]
fn certificates_are_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let certificate = file(
        "a.pem",
        "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
    );
    let key = file(
        "k.pem",
        "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n",
    );
    let good =
        format!("esdb://a?userCertFile={certificate}&userKeyFile={key}&tlsCaFile={certificate}");
    assert!(Address::parse(&good).is_ok());
    let swapped = format!("esdb://a?userCertFile={key}&userKeyFile={certificate}");
    assert!(refused(&swapped).contains("none of the kind"));
    assert!(refused(&format!("esdb://a?userCertFile={certificate}")).contains("go together"));
    let dir = dir.path().to_str().unwrap();
    assert!(refused(&format!("esdb://a?tlsCaFile={dir}")).contains("not a file"));
}

#[test]
fn no_text_panics_and_what_is_taken_is_taken_again() {
    let mut random = crate::faulty::Random::new(11);
    let pieces = [
        "esdb",
        "+discover",
        "://",
        "a",
        ",",
        ":",
        "1",
        "?",
        "&",
        "=",
        "tls",
        "true",
        "%4",
        "[::1]",
        "@",
        "/",
        "é",
        "streams",
        "-1",
        "",
    ];
    for _ in 0..20_000 {
        let mut text = String::from(if random.below(2) == 0 {
            "esdb://a?"
        } else {
            ""
        });
        for _ in 0..random.below(9) {
            text.push_str(pieces[random.below(pieces.len() as u64) as usize]);
        }
        if let Ok(address) = Address::parse(&text) {
            let again = Address::parse(&address.for_client()).unwrap();
            assert_eq!(again.hosts, address.hosts);
            assert!(
                address
                    .for_client()
                    .parse::<kurrentdb::ClientSettings>()
                    .is_ok()
            );
        }
    }
}
