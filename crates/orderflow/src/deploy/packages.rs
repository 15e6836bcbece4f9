use std::fs;

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
        let from = match &self.args.zips {
            Some(folder) => folder.clone(),
            None if self.args.plan => return Ok(Done::unchanged("`ci/package` would build the zips")),
            None => {
                let mut program = tool::program("bash")?;
                program.command.arg(self.source.join("ci/package")).arg("--out").arg(&kept);
                tools.run(program)?;
                kept.clone()
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
                "{} needs this machine's libraries, which the console host lacks: `ci/package` builds it statically",
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
        Ok(Done::unchanged(format!("{} zips and the static orderflow", names.len() - 1)))
    }
}
