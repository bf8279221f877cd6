# Reads the files of export_stats: a figure has rows, the kinds of its columns, and its text.

read_table <- function(folder, name) {
  # Read everything as text; the dictionary gives the types.
  read.csv(file.path(folder, name),
    colClasses = "character", na.strings = character(0), check.names = FALSE, encoding = "UTF-8"
  )
}

typed <- function(text, unit) {
  text[text == ""] <- NA
  if (unit %in% c("count", "share, 0 to 1", "number")) {
    return(as.numeric(text))
  }
  if (unit == "true or false") {
    return(text == "true")
  }
  if (unit == "digit") {
    return(factor(text, levels = unique(c(0:9, sort(text[!is.na(text)])))))
  }
  if (unit == "date") {
    return(as.Date(text))
  }
  if (startsWith(unit, "month")) {
    return(as.Date(ifelse(is.na(text), NA, paste0(text, "-01"))))
  }
  text <- as_said(text)
  factor(text, levels = unique(text))
}

# Removes the apostrophe that keeps spreadsheets from running text as a formula.
as_said <- function(text) sub("^'([-=+@\t\r])", "\\1", text)

read_figures <- function(folder) {
  dictionary <- read_table(folder, "dictionary.csv")
  index <- read_table(folder, "figures.csv")
  figures <- lapply(seq_len(nrow(index)), function(at) {
    name <- index$name[at]
    file <- paste0("figures/", name, ".csv")
    columns <- dictionary[dictionary$file == file, ]
    units <- setNames(columns$unit, columns$column)
    rows <- read_table(folder, file)
    for (key in names(rows)) rows[[key]] <- typed(rows[[key]], units[[key]])
    list(
      name = name, title = as_said(index$title[at]), said = as_said(index$sentence[at]),
      from = as_said(index$sampled_from[at]), warning = as_said(index$warning[at]),
      rows = rows, units = units, titles = setNames(as_said(columns$meaning), columns$column)
    )
  })
  setNames(figures, index$name)
}

read_marks <- function(folder) {
  marks <- read_table(folder, "marks.csv")
  data.frame(
    at = as.Date(substr(marks$at, 1, 10)),
    month = as.Date(if (nrow(marks)) paste0(marks$month, "-01") else character(0)),
    title = sub(" went live$", "", as_said(marks$title))
  )
}

SHARE <- c("n", "right", "share", "low", "high", "enough")

# The key columns, which identify a row: all that are not counts, shares, numbers or flags.
keys_of <- function(figure) {
  values <- c("count", "share, 0 to 1", "number", "true or false")
  keys <- names(figure$units)[!figure$units %in% values]
  setdiff(keys, SHARE)
}

has_share <- function(figure) all(SHARE %in% names(figure$rows))
is_time <- function(figure, key) figure$units[[key]] == "date" || startsWith(figure$units[[key]], "month")
