# Prints the relative links of a document that lead to no file, or to no heading of a document.
# Usage: awk -v document=PATH -f links.awk PATH

# The anchor that a heading has: lower-case, spaces as dashes, without punctuation.
function anchor(heading) {
    sub(/^#+ +/, "", heading)
    heading = tolower(heading)
    gsub(/[^a-z0-9_ -]/, "", heading)
    gsub(/ /, "-", heading)
    return heading
}

function has_heading(path, wanted,    line, fenced, found) {
    while ((getline line <path) > 0) {
        if (line ~ /^```/) fenced = !fenced
        else if (!fenced && line ~ /^#+ / && anchor(line) == wanted) found = 1
    }
    close(path)
    return found
}

function is_there(path) { return system("test -e '" path "'") == 0 }

function check(link,    at, path, wanted) {
    if (link ~ /^[a-z]+:/) return
    at = index(link, "#")
    path = at ? substr(link, 1, at - 1) : link
    wanted = at ? substr(link, at + 1) : ""
    if (path == "") path = document
    else if (document ~ /\//) path = folder(document) path
    if (!is_there(path)) print link ": there is no " path
    else if (wanted != "" && !has_heading(path, wanted)) print link ": " path " has no such heading"
}

function folder(path) { sub(/[^\/]*$/, "", path); return path }

/^```/ { fenced = !fenced; next }
fenced { next }
{
    rest = $0
    while (match(rest, /\]\([^) ]+\)/)) {
        check(substr(rest, RSTART + 2, RLENGTH - 3))
        rest = substr(rest, RSTART + RLENGTH)
    }
}
