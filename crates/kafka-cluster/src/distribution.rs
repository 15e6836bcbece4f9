//! Where Kafka and Java are on this machine.

use std::env;
use std::path::{Path, PathBuf};

use crate::Error;

/// Apache Kafka with its ZooKeeper, and the Java that runs them.
#[derive(Clone, Debug)]
pub struct Distribution {
    java: PathBuf,
    /// Every jar, sorted: equal on every machine, whatever order its folders have.
    jars: Vec<PathBuf>,
    cache: PathBuf,
}

impl Distribution {
    /// Finds Kafka in `KAFKA_HOME`, else where `ci/kafka-dist` puts it, and Java in `JAVA_HOME`, else in `PATH`.
    ///
    /// # Errors
    /// What is missing, and what provides it.
    pub fn find() -> Result<Self, Error> {
        if let Some(home) = variable("KAFKA_HOME") {
            return Self::at(&home);
        }
        let home = cache().join("kafka");
        // Another call of ci/kafka-dist may point it elsewhere while a cluster runs.
        let home = home.canonicalize().map_err(|_| Error::NoDistribution { looked: home.display().to_string() })?;
        Self::at(&home)
    }

    /// Takes Kafka from this folder, and Java from `JAVA_HOME`, else from `PATH`.
    ///
    /// # Errors
    /// What is missing, and what provides it.
    pub fn at(home: &Path) -> Result<Self, Error> {
        Ok(Self { java: java()?, jars: jars(home)?, cache: cache() })
    }

    pub(crate) fn java(&self) -> &Path {
        &self.java
    }

    pub(crate) fn jars(&self) -> &[PathBuf] {
        &self.jars
    }

    /// Where what is made once may be kept.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    pub(crate) fn class_path(&self) -> String {
        let jars: Vec<_> = self.jars.iter().map(|jar| jar.to_string_lossy()).collect();
        jars.join(":")
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn cache() -> PathBuf {
    let base = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
    base.unwrap_or_else(env::temp_dir).join("orderflow")
}

fn java() -> Result<PathBuf, Error> {
    let in_path =
        || env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join("java")).find(|java| java.is_file());
    let java = variable("JAVA_HOME").map(|home| home.join("bin/java")).filter(|java| java.is_file()).or_else(in_path);
    java.and_then(|java| java.canonicalize().ok()).ok_or(Error::NoJava)
}

fn jars(home: &Path) -> Result<Vec<PathBuf>, Error> {
    // A folder that can't be read has none.
    let entries = home.join("libs").read_dir().into_iter().flatten();
    let mut jars: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_jar(path)).collect();
    jars.sort();
    for missing in ["kafka_2.13", "zookeeper"] {
        let is_it = |jar: &PathBuf| {
            version_of(jar, missing).is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
        };
        if !jars.iter().any(is_it) {
            return Err(Error::NotADistribution { home: home.display().to_string(), missing });
        }
    }
    Ok(jars)
}

fn is_jar(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jar")
}

fn version_of<'a>(jar: &'a Path, name: &str) -> Option<&'a str> {
    jar.file_stem()?.to_str()?.strip_prefix(name)?.strip_prefix('-')
}
