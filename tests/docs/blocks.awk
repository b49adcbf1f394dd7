# Takes the fenced examples out of a Markdown document: awk -v dir=FOLDER -f blocks.awk DOCUMENT
#
# Each ```sh, ```sql and ```python block becomes FOLDER/NNN.LANGUAGE, with
#   NNN.line   where it begins
#   NNN.mark   what an HTML comment right before it says, if there is one
#   NNN.want   the ```text block right after it (nothing but empty lines between), if there is one

function path(suffix) { return sprintf("%s/%03d.%s", dir, number, suffix) }

in_block && /^```[ \t]*$/ {
    if (file != "") close(file)
    if (language == "text") example = 0
    in_block = 0
    comment = ""
    next
}
in_block {
    if (file != "") print > file
    next
}
/^```/ {
    language = substr($1, 4)
    in_block = 1
    file = ""
    if (language == "text" && example) {
        file = path("want")
        printf "" > file
    } else if (language ~ /^(sh|sql|python)$/) {
        number++
        example = 1
        print FNR > path("line")
        close(path("line"))
        if (comment != "") {
            print comment > path("mark")
            close(path("mark"))
        }
        file = path(language)
        printf "" > file
    } else {
        example = 0
    }
    next
}
/^[ \t]*$/ { next }
{
    example = 0
    comment = ($0 ~ /^<!-- .* -->$/) ? substr($0, 6, length($0) - 9) : ""
}
END {
    if (in_block) {
        print FILENAME ": a fenced block is not closed" > "/dev/stderr"
        exit 1
    }
}
