use std::fs;

use tempfile::TempDir;

use super::Deploy;
use crate::deployment::failed;
use crate::package::OPERATOR;
use crate::stages::Done;
use crate::tool::{self, Stop, Tools};
use crate::{Error, package};

impl Deploy<'_> {
    /// Builds what is deployed, or takes it from where it lies; the deployment keeps its own.
    pub(super) fn package(&self, tools: &mut Tools<'_>) -> Result<Done, Stop> {
        let kept = self.deployment.zips();
        let built = TempDir::new().map_err(Error::failed)?;
        let from = match &self.args.zips {
            Some(folder) => folder.clone(),
            None if self.args.plan => return Ok(Done::unchanged("`ci/package` would build it")),
            None => {
                let mut program = tool::program("bash")?;
                program.command.arg(self.source.join("ci/package")).arg("--out").arg(built.path());
                tools.run(program)?;
                built.path().to_owned()
            }
        };
        let names = self.functions().into_iter().map(|name| format!("{name}.zip")).chain([OPERATOR.to_owned()]);
        let names: Vec<String> = names.collect();
        let missing: Vec<&str> = names.iter().filter(|name| !from.join(name).is_file()).map(String::as_str).collect();
        if !missing.is_empty() {
            let text = format!("{} has no {}: `ci/package` makes them", from.display(), missing.join(", "));
            return Err(Error::Usage(text).into());
        }
        let operator = from.join(OPERATOR);
        if !package::is_static(&fs::read(&operator).map_err(|error| failed(&operator, &error))?) {
            let text = format!(
                "{} needs this machine's libraries, which hosts lack: `ci/package` builds it statically",
                operator.display()
            );
            return Err(Error::Usage(text).into());
        }
        if from != kept && !self.args.plan {
            fs::create_dir_all(&kept).map_err(|error| failed(&kept, &error))?;
            for name in &names {
                let file = from.join(name);
                fs::copy(&file, kept.join(name)).map_err(|error| failed(&file, &error))?;
            }
        }
        Ok(Done::unchanged(match names.len() - 1 {
            0 => "the static orderflow".to_owned(),
            zips => format!("{zips} zips and the static orderflow"),
        }))
    }
}
