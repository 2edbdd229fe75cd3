//! The name under which people know a process: a program of an interpreter is its script, module, class or archive.

/// Options of Java whose value is an argument of its own (java(1)).
const JAVA_OPTIONS: [&str; 11] = [
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--add-exports",
    "--add-opens",
    "--add-reads",
    "--limit-modules",
];
/// Options of Python, Node.js, Ruby, Perl, PHP whose value is an argument of its own.
const SCRIPT_OPTIONS: [&str; 9] = ["-W", "-X", "-r", "--require", "--import", "--loader", "-I", "-C", "--conditions"];
/// Names of scripts that say nothing without their folder.
const COMMON: [&str; 14] = [
    "__main__.py",
    "app.js",
    "app.py",
    "cli.js",
    "index.js",
    "index.mjs",
    "main.js",
    "main.py",
    "manage.py",
    "run.py",
    "server.js",
    "server.py",
    "start.js",
    "wsgi.py",
];

/// The name of what an interpreter runs; none for other programs, and where it reads its program from elsewhere.
#[must_use]
pub fn of_interpreted(executable: &str, arguments: &[&str]) -> Option<String> {
    let program = executable.trim_end_matches(|last: char| last.is_ascii_digit() || last == '.');
    let name = match program {
        "java" => java(arguments),
        "python" | "pypy" => python(arguments),
        "node" | "nodejs" | "deno" | "bun" | "ruby" | "perl" | "php" => script(arguments, &["-e", "--eval", "-p"]),
        "bash" | "sh" | "dash" | "zsh" => script(arguments, &["-c"]),
        _ => None,
    }?;
    (!name.is_empty()).then_some(name)
}

fn java(arguments: &[&str]) -> Option<String> {
    let mut rest = arguments.iter().copied();
    while let Some(argument) = rest.next() {
        match argument {
            "-jar" => return rest.next().map(file),
            // module/class, or a module whose main class it names
            "-m" | "--module" => {
                return rest.next().map(|module| module.rsplit('/').next().unwrap_or(module).to_owned());
            }
            option if JAVA_OPTIONS.contains(&option) => {
                rest.next();
            }
            option if option.starts_with(['-', '@']) => {}
            class => return Some(class.to_owned()),
        }
    }
    None
}

fn python(arguments: &[&str]) -> Option<String> {
    let module = arguments.iter().position(|argument| *argument == "-m");
    let first = arguments.iter().position(|argument| !argument.starts_with('-'));
    match (module, first) {
        // an option of the script may have the same name
        (Some(at), first) if first.is_none_or(|first| at < first) => {
            arguments.get(at + 1).map(|module| (*module).to_owned())
        }
        _ => script(arguments, &["-c"]),
    }
}

/// The first argument that is no option; none where an option brings the program along.
fn script(arguments: &[&str], inline: &[&str]) -> Option<String> {
    let mut rest = arguments.iter().copied();
    while let Some(argument) = rest.next() {
        if inline.contains(&argument) {
            return None;
        }
        if SCRIPT_OPTIONS.contains(&argument) {
            rest.next();
        } else if argument == "run" {
            // deno run, bun run
        } else if !argument.starts_with('-') {
            return Some(file(argument));
        }
    }
    None
}

/// The name of a file, with its folder where the name alone says nothing.
fn file(path: &str) -> String {
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or(path);
    match parts.next().filter(|folder| !folder.is_empty() && *folder != ".") {
        Some(folder) if COMMON.contains(&name) => format!("{folder}/{name}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_an_interpreter_has_the_name_of_what_it_runs() {
        for (executable, arguments, name) in [
            (
                "java",
                "-Xmx1g -cp /a.jar:/b.jar -Dx=y org.apache.catalina.startup.Bootstrap start",
                "org.apache.catalina.startup.Bootstrap",
            ),
            ("java", "-server -jar /opt/shop/shop-1.2.jar --port 1", "shop-1.2.jar"),
            ("java", "-p mods -m com.example.app/com.example.Main", "com.example.Main"),
            ("java", "-version", ""),
            ("python3.11", "/usr/bin/certbot renew", "certbot"),
            ("python3", "-u -m http.server 8000", "http.server"),
            ("python3", "-W ignore /srv/shop/manage.py runserver -m x", "shop/manage.py"),
            ("python3", "-c pass", ""),
            ("python3", "", ""),
            ("node", "--max-old-space-size=100 -r dotenv/config /srv/api/index.js", "api/index.js"),
            ("node", "worker.js", "worker.js"),
            ("node", "-e 1+1", ""),
            ("bun", "run /srv/a/server.js", "a/server.js"),
            ("bash", "/opt/backup.sh --all", "backup.sh"),
            ("bash", "-c true", ""),
            ("nginx", "-g daemon", ""),
        ] {
            let arguments: Vec<&str> = arguments.split(' ').filter(|argument| !argument.is_empty()).collect();
            let found = of_interpreted(executable, &arguments).unwrap_or_default();
            assert_eq!(found, name, "{executable} {arguments:?}");
        }
    }
}
