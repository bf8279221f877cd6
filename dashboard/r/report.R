# Rscript report.R FROM TO [--pdf]
# Draws every figure that `manage.py export_stats FROM` wrote: TO/NAME.png, with --pdf also TO/NAME.pdf.
# Prints "drawn NAME" for each, to show progress.

suppressPackageStartupMessages(library(ggplot2))

arguments <- commandArgs(trailingOnly = FALSE)
here <- dirname(sub("^--file=", "", grep("^--file=", arguments, value = TRUE)))
for (part in c("theme.R", "figures.R", "charts.R")) source(file.path(here, part), encoding = "UTF-8")

given <- commandArgs(trailingOnly = TRUE)
from <- given[1]
to <- given[2]
with_pdf <- "--pdf" %in% given

theme_set(theme_inkloop())
WIDE <- 9 # inches
HIGH <- 6
DOTS <- 150 # an inch

save_chart <- function(name, plot) {
  # Ignore warnings: users' text may have characters that the font lacks.
  suppressWarnings({
    ggsave(file.path(to, paste0(name, ".png")), plot, width = WIDE, height = HIGH, dpi = DOTS, bg = paper)
    if (with_pdf) {
      ggsave(file.path(to, paste0(name, ".pdf")), plot, width = WIDE, height = HIGH, device = cairo_pdf, bg = paper)
    }
  })
  cat("drawn ", name, "\n", sep = "")
  flush(stdout())
}

figures <- read_figures(from)
marks <- read_marks(from)
for (figure in figures) {
  is_empty <- nrow(figure$rows) == 0 || has_share(figure) && all(is.na(figure$rows$share))
  save_chart(figure$name, with_words(if (is_empty) empty_chart() else chart_of(figure, marks), figure))
  if (figure$name == "accuracy-by-digit" && !is_empty) {
    save_chart("accuracy-by-digit-as-pie", with_words(share_pie(figure, marks), figure))
  }
}
