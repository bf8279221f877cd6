# The theme of every chart; color-blind people can distinguish its colors.

ink <- "#1b2030"
soft <- "#4a5060"
rule <- "#ddd8ca"
paper <- "#fffdf8"
pen <- "#2a4bb5"
few <- "#b4b0a4" # gray, for too few labels

# Okabe and Ito's eight, and two more for ten digits; every pair differs in lightness too.
palette_of_ten <- c(
  "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9",
  "#D55E00", "#000000", "#F0E442", "#7F7F7F", "#8C510A"
)

# Of numerals, which are thin: all dark enough to be read.
digit_colors <- c(
  "#8f2f1f", "#7a5a00", "#4d6a00", "#1f6f2e", "#00695c",
  "#00628f", "#2f4fbf", "#6a3fb0", "#96308f", "#9c2452"
)

theme_inkloop <- function(size = 11) {
  theme_minimal(base_size = size) +
    theme(
      text = element_text(color = ink),
      axis.text = element_text(color = soft),
      axis.title = element_text(color = soft),
      panel.grid.minor = element_blank(),
      panel.grid.major = element_line(color = rule, linewidth = 0.3),
      plot.background = element_rect(fill = paper, color = NA),
      panel.background = element_rect(fill = paper, color = NA),
      plot.title = element_text(face = "bold", size = rel(1.3)),
      plot.title.position = "plot",
      plot.subtitle = element_text(color = soft, margin = margin(b = 10)),
      plot.caption = element_text(color = soft, hjust = 0, size = rel(0.75)),
      plot.caption.position = "plot",
      legend.position = "bottom",
      strip.text = element_text(face = "bold", hjust = 0),
      plot.margin = margin(14, 18, 12, 14)
    )
}

percent <- function(x) ifelse(is.na(x), "", paste0(format(round(100 * x, 1), trim = TRUE), " %"))
whole_percent <- function(x) ifelse(is.na(x), "", paste0(round(100 * x), ""))
