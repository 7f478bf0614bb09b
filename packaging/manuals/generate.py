#!/usr/bin/env python3
"""Manual pages and bash completions, from what the programs say of themselves.

    generate.py MEDIACTL MEDIAD FOLDER    writes mediactl.1, mediad.8, mediactl.bash and mediad.bash
"""
import os
import re
import subprocess
import sys


def said(*command):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment).stdout


class Entry:
    """An option, an operand or a command of a help text."""

    def __init__(self, term, text):
        self.term, self.text = term, text

    @property
    def spellings(self):
        return [word for word in re.split(r"[ ,]", self.term) if re.fullmatch(r"--?[a-zA-Z][a-z-]*", word)]

    @property
    def kind(self):
        """What its value is called; empty where it takes none."""
        rest = re.sub(r"^[^ ]+ ?", "", re.sub(r" \(Env:.*?\)| REQUIRED", "", self.term))
        return rest.split(":")[0].split(" ")[0]

    @property
    def choices(self):
        listed = re.search(r"\{([^}]*)\}", self.term)
        if listed:
            return listed.group(1).split(",")
        return re.findall(r"(?:^|; )([a-z]+): ", self.text) if self.kind == "ROLE" else []

    @property
    def printed(self):
        return re.sub(r" \(Env:.*?\)| REQUIRED", "", self.term)


class Help:
    """One command's help, as CLI11 lays it out: headings that end with a colon, two spaces before a term, more before what explains it."""

    def __init__(self, program, path):
        self.path = path
        self.sections = {}
        lines = said(program, *path, "--help").splitlines()
        section = self.about = ""
        for line in lines:
            heading = re.fullmatch(r"([A-Z][A-Za-z ]+):", line)
            if heading:
                section = heading.group(1).capitalize()
                self.sections[section] = []
            elif line.lower().startswith("usage:"):
                self.usage = line.split(":", 1)[1].strip()
            elif not section and line and not self.about:
                self.about = line
            elif section and re.match(r" {2}\S", line):
                term, _, text = line.strip().partition("  ")
                self.sections[section].append(Entry(term, text.strip()))
            elif section and re.match(r" {3,}\S", line) and self.sections[section]:
                last = self.sections[section][-1]
                last.text = (last.text + " " + line.strip()).strip()
        self.commands = [Help(program, [*path, entry.term]) for entry in self.sections.get("Subcommands", [])]

    def options(self):
        return self.sections.get("Options", [])

    def operands(self):
        return self.sections.get("Positionals", [])

    def all(self):
        """This one and all below it."""
        return [self] + [one for command in self.commands for one in command.all()]


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


class Page:
    def __init__(self, name, section, version):
        self.lines = [f'.TH {name.upper()} {section} "" "{version}" "libmedia"', ".nh", ".ad l"]

    def heading(self, text, level="SH"):
        self.lines.append(f".{level} {roff(text)}" if " " not in text else f'.{level} "{roff(text)}"')

    def text(self, text):
        self.lines += [".PP", roff(text)]

    def entries(self, entries):
        for entry in entries:
            self.lines += [".TP", f".B {roff(entry.printed)}", roff(entry.text)]

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(self.lines) + "\n")


def mediactl_page(help_text, version):
    page = Page("mediactl", 1, version)
    page.heading("NAME")
    page.lines.append("mediactl \\- " + roff(help_text.about.rstrip(".")[0].lower() + help_text.about.rstrip(".")[1:]))
    page.heading("SYNOPSIS")
    page.lines += [".B mediactl", "[options] command [options of the command] [operands]"]
    page.heading("OPTIONS OF EVERY COMMAND")
    page.text("They may stand before or after the command's name.")
    page.entries(help_text.options())
    page.heading("COMMANDS")
    for command in help_text.all()[1:]:
        page.heading(re.sub(r" SUBCOMMAND$", " COMMAND", command.usage).replace("mediactl ", "", 1), "SS")
        page.text(command.about + ".")
        page.entries(command.operands())
        page.entries([one for one in command.options() if "--help" not in one.term])
    page.heading("EXIT STATUS")
    page.entries(help_text.sections["Exit codes"])
    page.heading("SEE ALSO")
    page.lines.append(".BR mediad (8)")
    return page


def sentences(paragraph):
    return " ".join(line.strip() for line in paragraph.splitlines())


def mediad_entries(text):
    """The options of mediad's help, which is written by hand in the same form."""
    entries = []
    for line in text.splitlines():
        if re.match(r" {2}--", line):
            term, _, rest = line.strip().partition("  ")
            entries.append(Entry(term, rest.strip()))
        elif re.match(r" {10,}\S", line) and entries:
            entries[-1].text += " " + line.strip()
    return entries


def mediad_page(text, settings, version):
    about, usage = text.split("\n", 1)[0], re.search(r"usage: (.*?)\n\n", text, re.S).group(1)
    page = Page("mediad", 8, version)
    page.heading("NAME")
    page.lines.append("mediad \\- " + roff(about.removeprefix("mediad: ").rstrip(".")))
    page.heading("SYNOPSIS")
    page.lines.append(roff(sentences(usage)))
    page.heading("DESCRIPTION")
    page.text("Everything is configured by the environment; as a service by /etc/mediad/mediad.env. A variable that begins with MEDIA_SERVICE_ "
              "and is not listed here stops the start.")
    page.text("SIGTERM or SIGINT drains and stops: no new connections, requests that have begun may finish.")
    page.heading("OPTIONS")
    page.entries(mediad_entries(text))
    page.heading("EXIT STATUS")
    codes = re.search(r"Exit codes: (.*)\.", text).group(1)
    page.entries([Entry(*code.strip().split(" ", 1)) for code in codes.split(",")])
    page.heading("ENVIRONMENT")
    for row in settings:
        names, about, accepts, default = row
        page.entries([Entry(names, f"{about}. Accepts: {accepts}. Default: {default}.")])
    page.heading("SEE ALSO")
    page.lines.append(".BR mediactl (1)")
    return page


def settings_of(table):
    """Rows of `mediad --list-settings`, a Markdown table, without its marks."""
    rows = [line.strip("|").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    return [[re.sub(r"[`*]", "", cell).strip().rstrip(".") for cell in row] for row in rows]


FILES = ("PATH", "FILE", "DIR")


def values_of(option):
    """What completes an option's value, in bash; None where nothing can."""
    # A colon separates words for bash: what holds one cannot be completed as one.
    choices = [choice for choice in option.choices if ":" not in choice]
    if choices and len(choices) == len(option.choices):
        return f'COMPREPLY=($(compgen -W "{" ".join(choices)}" -- "$current"))'
    if option.kind == "DIR":
        return 'compopt -o filenames; COMPREPLY=($(compgen -d -- "$current"))'
    if option.kind in FILES:
        return 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$current"))'
    return ":"


def bash_script(name, commands, common):
    """`commands`: (path, its options, names below it, whether it takes files)."""
    lines = [f"# bash completion of {name}; made by packaging/manuals/generate.py from {name} --help.", f"_{name}() {{",
             '  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command="" word index value=""',
             "  COMPREPLY=()"]
    valued = sorted({spelling for _, options, _, _ in commands for option in [*options, *common] if option.kind for spelling in option.spellings})
    below = {" ".join(path): names for path, _, names, _ in commands}
    lines += ["  for ((index = 1; index < COMP_CWORD; index++)); do", "    word=${COMP_WORDS[index]}",
              "    if [[ -n $value ]]; then value=; continue; fi", "    case $word in",
              f"      {'|'.join(valued)}) value=yes; continue ;;", "      -*) continue ;;", "    esac", '    case "$command/$word" in']
    for path, names in below.items():
        for one in names:
            lines.append(f'      "{path}/{one}") command="{(path + " " + one).strip()}" ;;')
    lines += ["    esac", "  done", '  if [[ -n $value ]]; then', '    case "$command $previous" in']
    for path, options, _, _ in commands:
        for option in [*options, *common]:
            if option.kind:
                pattern = "|".join(f'"{" ".join(path)} {spelling}"' for spelling in option.spellings)
                lines.append(f"      {pattern}) {values_of(option)} ;;")
    lines += ["    esac", "    return", "  fi", '  case "$command" in']
    for path, options, names, files in commands:
        spelled = " ".join(sorted({spelling for option in [*options, *common] for spelling in option.spellings}))
        body = [f'      if [[ $current == -* ]]; then COMPREPLY=($(compgen -W "{spelled}" -- "$current"))']
        if names:
            body.append(f'      else COMPREPLY=($(compgen -W "{" ".join(names)}" -- "$current"))')
        elif files:
            body.append('      else compopt -o filenames; COMPREPLY=($(compgen -f -- "$current"))')
        lines += [f'    "{" ".join(path)}")', *body, "      fi ;;"]
    lines += ["  esac", "}", f"complete -F _{name} {name}", ""]
    return "\n".join(lines)


def main():
    mediactl, mediad, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    help_text = Help(mediactl, [])
    version = said(mediactl, "--version").strip().replace("mediactl", "libmedia")
    mediactl_page(help_text, version).write(os.path.join(folder, "mediactl.1"))
    commands = [(one.path, one.options(), [below.path[-1] for below in one.commands],
                 any(operand.term.split(" ")[0].rstrip(".") in FILES for operand in one.operands())) for one in help_text.all()]
    with open(os.path.join(folder, "mediactl.bash"), "w", encoding="utf-8") as file:
        file.write(bash_script("mediactl", commands, [one for one in help_text.options() if "--version" not in one.term]))
    text = said(mediad, "--help")
    mediad_page(text, settings_of(said(mediad, "--list-settings")), version).write(os.path.join(folder, "mediad.8"))
    with open(os.path.join(folder, "mediad.bash"), "w", encoding="utf-8") as file:
        file.write(bash_script("mediad", [([], mediad_entries(text), [], False)], [Entry("--version", ""), Entry("--help", "")]))


if __name__ == "__main__":
    main()
