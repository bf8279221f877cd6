# Rscript report.R FROM TO [--pdf]
# Draws every figure that `manage.py export_stats FROM` wrote: TO/NAME.png, with --pdf also TO/NAME.pdf.
# Prints "drawing NAME" before each and "drawn NAME" after it, to show progress.

suppressPackageStartupMessages(library(ggplot2))
library(grid)

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

save_chart <- function(name, make) {
  cat("drawing ", name, "\n", sep = "")
  flush(stdout())
  # Ignore warnings: users' text may have characters that the font lacks.
  suppressWarnings({
    png(file.path(to, paste0(name, ".png")), WIDE, HIGH, units = "in", res = DOTS, bg = paper, type = "cairo")
    drawn <- ggplotGrob(make()) # laid out once for both files, which takes most of the time
    grid.draw(drawn)
    dev.off()
    if (with_pdf) {
      cairo_pdf(file.path(to, paste0(name, ".pdf")), WIDE, HIGH, bg = paper)
      grid.draw(drawn)
      dev.off()
    }
  })
  cat("drawn ", name, "\n", sep = "")
  flush(stdout())
}

figures <- read_figures(from)
marks <- read_marks(from)
for (figure in figures) {
  is_empty <- nrow(figure$rows) == 0 || has_share(figure) && all(is.na(figure$rows$share))
  save_chart(figure$name, function() with_words(if (is_empty) empty_chart() else chart_of(figure, marks), figure))
  if (figure$name == "accuracy-by-digit") {
    save_chart("accuracy-by-digit-as-pie", function() with_words(if (is_empty) empty_chart() else share_pie(figure), figure))
  }
}
