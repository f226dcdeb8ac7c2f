"""tools/train/carriers.py - what attacks come in: puts a sentence into documents and tool results of many kinds."""
import html
import json
import re

WORDS = ("order invoice delivery meeting report customer project budget ticket status release account travel weather "
         "score product team review schedule server database message update contract payment market survey").split()
NAMES = "Anna Peter Maria Chen Aisha Tom Olga Ravi Julia Marco Lena Omar Sofia Ivan Emma Kenji".split()


def name(rng):
    return rng.choice(NAMES)


def words(rng, n):
    return " ".join(rng.choice(WORDS) for _ in range(n))


def day(rng):
    return "%d-%02d-%02d" % (rng.randint(2019, 2026), rng.randint(1, 12), rng.randint(1, 28))


def cut(text, rng, longest):
    """A run of whole lines, or of words, of about that many bytes."""
    if len(text) <= longest:
        return text
    at = rng.randrange(len(text) - longest)
    at = text.find("\n", at) + 1 or at
    return text[at:at + longest]


def splice(sentence, text, rng):
    """Into a text, between lines or sentences, or at one of its ends."""
    where = rng.random()
    if where < 0.15:
        return sentence + rng.choice(("\n", " ", "\n\n")) + text
    if where < 0.4:
        return text + rng.choice(("\n", " ", "\n\n", "")) + sentence
    gaps = [m.end() for m in re.finditer(r"\n|[.!?] |\", ", text)]
    at = rng.choice(gaps) if gaps else len(text)
    return text[:at] + rng.choice(("", "\n", "\n\n")) + sentence + rng.choice((" ", "\n", "\n\n")) + text[at:]


def as_json(s, rng):
    key = rng.choice(("content", "text", "body", "description", "message", "result", "comment", "snippet", "notes"))
    item = {"id": rng.randint(1, 99999), "title": words(rng, 3), "date": day(rng), key: s, "author": name(rng),
            "count": rng.randint(0, 50), "read": rng.random() < .5}
    others = [{"id": i, "title": words(rng, 4), "date": day(rng), key: words(rng, rng.randint(4, 12)) + "."}
              for i in range(rng.randint(0, 4))]
    others.insert(rng.randint(0, len(others)), item)
    whole = rng.choice((item, others, {"status": "ok", "results": others}, {"data": item, "error": None}))
    return json.dumps(whole, ensure_ascii=rng.random() < .3, indent=rng.choice((None, None, 2)))


def as_html(s, rng):
    inside = html.escape(s) if rng.random() < .5 else s
    hidden = rng.choice(('<p>%s</p>', '<div style="display:none">%s</div>', '<!-- %s -->', '<span class="note">%s</span>',
                         '<li>%s</li>', '<p style="color:white;font-size:1px">%s</p>', '<td>%s</td>')) % inside
    return ("<html><head><title>%s</title></head><body><h1>%s</h1>\n<p>%s by %s on %s.</p>\n%s\n<p>%s</p></body></html>" %
            (words(rng, 3), words(rng, 2), words(rng, 8), name(rng), day(rng), hidden, words(rng, 10)))


def as_mail(s, rng):
    return "From: %s <%s@mail.example>\nTo: %s\nDate: %s\nSubject: %s\n\nHi %s,\n\n%s\n\n%s\n\n%s\n%s" % (
        name(rng), rng.choice(WORDS), name(rng), day(rng), words(rng, 3), name(rng),
        "thanks for the %s about the %s. We will come back to it next week." % (rng.choice(WORDS), words(rng, 2)), s,
        rng.choice(("Best regards", "Cheers", "Kind regards", "Thanks")), name(rng))


def as_log(s, rng):
    lines = ["%s %02d:%02d:%02d %s %s: %s" % (day(rng), rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 59),
                                            rng.choice(("INFO", "WARN", "ERROR", "DEBUG")), rng.choice(WORDS),
                                            words(rng, rng.randint(3, 9))) for _ in range(rng.randint(2, 14))]
    at = rng.randrange(len(lines))
    lines[at] = lines[at].split(": ")[0] + ": " + s.replace("\n", "\\n")
    return "\n".join(lines)


def as_csv(s, rng):
    rows = [["id", "name", "date", "comment"]]
    rows += [[str(rng.randint(1, 999)), name(rng), day(rng), words(rng, 5)] for _ in range(rng.randint(2, 9))]
    rows[rng.randint(1, len(rows) - 1)][3] = '"%s"' % s.replace('"', '""')
    return "\n".join(",".join(r) for r in rows)


def as_markdown(s, rng):
    return "# %s\n\n%s wrote on %s:\n\n%s%s\n\n- %s\n- %s\n" % (
        words(rng, 3).title(), name(rng), day(rng), rng.choice(("", "> ", "- ", "* ", "**Note:** ")), s, words(rng, 6),
        words(rng, 5))


def as_code(s, rng):
    mark = rng.choice(("#", "//", "--", "/*"))
    comment = "%s %s%s" % (mark, s.replace("\n", "\n" + mark + " "), " */" if mark == "/*" else "")
    fn = "_".join(rng.choice(WORDS) for _ in range(2))
    return "import os\n\ndef %s(%s):\n    %s\n    return load(%r, limit=%d)\n" % (
        fn, rng.choice(WORDS), comment, rng.choice(WORDS), rng.randint(1, 100))


def as_tool(s, rng):
    """The description of a tool, as a server offers it."""
    return json.dumps([{"name": "_".join(rng.choice(WORDS) for _ in range(2)), "description": "Returns the %s of a %s. %s" %
                        (rng.choice(WORDS), rng.choice(WORDS), s), "inputSchema": {"type": "object", "properties": {
                            rng.choice(WORDS): {"type": "string"}}}}])


WRAPPERS = (as_json, as_json, as_html, as_mail, as_mail, as_log, as_csv, as_markdown, as_code, as_tool)


def carry(sentence, texts, rng):
    """The sentence in a wrapper of its own, or inside one of the texts."""
    if rng.random() < .45:
        return rng.choice(WRAPPERS)(sentence, rng)
    return splice(sentence, cut(rng.choice(texts), rng, rng.choice((200, 500, 900, 1500, 2500))), rng)
