# A chart for each figure of the dashboard. `charts` names the figures with their own chart; all
# others are drawn by the kinds of their columns, so a new figure needs no code here.

# -- shares ---------------------------------------------------------------------------------------

MOST_MONTHS <- 4 # curves or panels; of more months, evenly spaced ones are drawn
MOST_TICKS <- 14 # months with a tick each

# With marks, there is room for their names above 100 %.
share_axis <- function(from = NA, has_marks = FALSE) {
  top <- if (has_marks) 1 + 0.12 * (1 - from) else 1
  scale_y_continuous(
    labels = percent, limits = c(from, top), oob = scales_keep, expand = expansion(c(0.02, 0.02)),
    breaks = function(limits) Filter(function(at) at <= 1, pretty(c(limits[1], 1), 5))
  )
}

scales_keep <- function(x, ...) x # values outside the limits are clipped, not dropped

floor_of <- function(rows) {
  lows <- rows$low[!is.na(rows$low)]
  if (!length(lows)) 0 else max(0, min(0.95, floor(min(lows) * 20) / 20))
}

# The year is below the first tick, and where it changes.
time_in_words <- function(form) {
  function(at) {
    years <- format(at, "%Y")
    is_new <- !duplicated(years)
    paste0(format(at, form), ifelse(is_new, paste0("\n", years), ""))
  }
}

time_axis <- function(times, form = "%b") {
  few <- length(times) <= MOST_TICKS
  span <- as.numeric(diff(range(times)))
  if (span < 60) form <- "%b %d"
  breaks <- if (few) times else if (span < 60) {
    times[seq(1, length(times), by = 7)]
  } else {
    seq(as.Date(format(min(times), "%Y-%m-01")), max(times), by = month_step(span))
  }
  scale_x_date(labels = time_in_words(form), breaks = breaks, expand = expansion(0.03))
}

month_step <- function(span) {
  steps <- c(1, 2, 3, 6, 12, 24)
  paste(steps[which(span / 30.4 / steps <= MOST_TICKS)[1]], "months")
}

# Names that would cover another one are left out; their lines stay.
promotion_marks <- function(marks, rows, key) {
  shown <- marks[marks$at >= min(rows[[key]]) & marks$at <= max(rows[[key]]) + 31, ]
  if (!nrow(shown)) {
    return(NULL)
  }
  list(
    geom_vline(data = shown, aes(xintercept = at), linetype = "dashed", color = soft, linewidth = 0.4),
    geom_text(
      data = shown, aes(x = at, y = Inf, label = title), inherit.aes = FALSE, hjust = -0.05,
      vjust = 1.2, size = 2.7, color = soft, check_overlap = TRUE
    )
  )
}

share_by_month <- function(figure, marks, key = "month") {
  rows <- figure$rows
  # A point covers its whole month or period, so it is drawn in the middle of it.
  rows$middle <- rows[[key]] + 14
  if ("last" %in% names(rows)) rows$middle <- rows$middle + as.numeric(rows$last - rows[[key]]) / 2
  drawn <- rows[!is.na(rows$share), ]
  named <- promotion_marks(marks, rows, key)
  many <- nrow(rows) > MOST_TICKS
  ggplot(rows, aes(middle, share)) +
    named +
    geom_line(aes(color = enough & c(TRUE, head(enough, -1)), group = 1), linewidth = 0.8, na.rm = TRUE) +
    geom_errorbar(data = drawn, aes(ymin = low, ymax = high, color = enough), width = if (many) 0 else 5) +
    geom_point(data = drawn, aes(color = enough), size = if (many) 1.6 else 3) +
    (if (!many) geom_text(data = drawn, aes(y = low, label = paste("n =", n)), vjust = 1.6, size = 3, color = soft)) +
    color_of_enough() +
    time_axis(rows$middle) +
    share_axis(max(0, floor_of(drawn) - 0.05), !is.null(named)) +
    labs(x = NULL, y = figure$titles[["share"]])
}

# The line is the share of 28 days, the dots are the labels since the row before.
share_by_day <- function(figure, marks, key = "day") {
  rows <- figure$rows
  drawn <- rows[!is.na(rows$share), ]
  least <- floor_of(drawn)
  named <- promotion_marks(marks, rows, key)
  plot <- ggplot(drawn, aes(.data[[key]], share)) + named
  if ("new_share" %in% names(rows)) {
    dots <- rows[!is.na(rows$new_share), ]
    dots$below <- dots$new_share < least
    dots$shown <- pmax(dots$new_share, least)
    plot <- plot +
      geom_point(data = dots, aes(y = shown, size = new, shape = below), color = soft, alpha = 0.25) +
      scale_shape_manual(values = c(`FALSE` = 16, `TRUE` = 6), guide = "none") +
      scale_size_area(max_size = 2.4, guide = "none")
  }
  plot +
    geom_ribbon(aes(ymin = low, ymax = high), fill = pen, alpha = 0.2) +
    geom_line(color = pen, linewidth = 0.8) +
    (if (nrow(drawn) == 1) geom_point(color = pen)) +
    time_axis(rows[[key]]) +
    share_axis(least, !is.null(named)) +
    labs(x = NULL, y = figure$titles[["share"]])
}

color_of_enough <- function() {
  list(
    scale_color_manual(values = c(`TRUE` = pen, `FALSE` = few), guide = "none"),
    scale_fill_manual(values = c(`TRUE` = pen, `FALSE` = few), guide = "none")
  )
}

share_bars <- function(figure, marks, key = "digit") {
  drawn <- figure$rows[!is.na(figure$rows$share), ]
  ggplot(drawn, aes(.data[[key]], share)) +
    geom_col(aes(fill = enough), width = 0.75) +
    geom_errorbar(aes(ymin = low, ymax = high), width = 0.25, color = ink) +
    geom_text(aes(y = 0, label = paste("n", n)), vjust = -0.6, size = 2.8, color = "white") +
    color_of_enough() +
    share_axis(0) +
    labs(x = figure$titles[[key]], y = figure$titles[["share"]])
}

# Slices are polygons on a wide panel: a panel of polar coordinates is a square, and the words above
# it would be cut off at its width.
share_pie <- function(figure) {
  drawn <- figure$rows[!is.na(figure$rows$share), ]
  drawn$digit <- drawn[[keys_of(figure)[1]]]
  drawn$wrong <- ifelse(drawn$enough, 1 - drawn$share, NA_real_)
  ends <- c(0, cumsum(drawn$share)) / sum(drawn$share) * 2 * pi
  slices <- do.call(rbind, lapply(seq_len(nrow(drawn)), function(at) {
    angles <- seq(ends[at], ends[at + 1], length.out = 60)
    data.frame(digit = drawn$digit[at], wrong = drawn$wrong[at], x = c(0, sin(angles)), y = c(0, cos(angles)))
  }))
  middle <- (head(ends, -1) + tail(ends, -1)) / 2
  drawn$x <- 0.76 * sin(middle)
  drawn$y <- 0.76 * cos(middle)
  ggplot(slices, aes(x, y)) +
    geom_polygon(aes(fill = wrong, group = digit), color = soft, linewidth = 0.3) +
    geom_text(data = drawn, aes(label = paste0(digit, "\n", percent(share))), color = ink, size = 3, lineheight = 0.95) +
    coord_fixed(xlim = c(-2.4, 2.4), ylim = c(-1.02, 1.02)) +
    scale_fill_gradient(low = "#fbf3e4", high = "#df8442", na.value = few, labels = percent, name = "Read wrong", guide = wide_guide()) +
    labs(x = NULL, y = NULL, subtitle = "Slices of 96 and 98 look alike; the bars tell them apart.") +
    theme(axis.text = element_blank(), panel.grid.major = element_blank())
}

# A period of months in words: Sep 2026, Q3 2026, 2026 or Aug to Sep 2026.
period_in_words <- function(first, last) {
  months <- as.numeric(format(last, "%m")) - as.numeric(format(first, "%m")) + 1
  quarter <- as.numeric(format(last, "%m")) %/% 3
  ifelse(months == 1, format(first, "%b %Y"),
    ifelse(months == 12, format(first, "%Y"),
      ifelse(months == 3 & as.numeric(format(last, "%m")) %% 3 == 0, paste0("Q", quarter, format(first, " %Y")),
        paste0(format(first, "%b"), " to ", format(last, "%b %Y"))
      )
    )
  )
}

period_tiles <- function(other) {
  function(figure, marks) {
    figure$rows$period <- factor(
      period_in_words(figure$rows$month, figure$rows$last),
      unique(period_in_words(sort(figure$rows$month), figure$rows$last[order(figure$rows$month)]))
    )
    figure$units[["period"]] <- "text"
    share_tiles(figure, marks, "period", other) +
      theme(axis.text.x = element_text(angle = if (nlevels(figure$rows$period) > 8) 45 else 0, hjust = if (nlevels(figure$rows$period) > 8) 1 else 0.5))
  }
}

share_tiles <- function(figure, marks, across, down) {
  rows <- figure$rows
  if (is_time(figure, across)) {
    rows[[across]] <- factor(format(rows[[across]], "%b %Y"), unique(format(sort(rows[[across]]), "%b %Y")))
  }
  rows$shown <- ifelse(!is.na(rows$enough) & rows$enough, rows$share, NA_real_)
  least <- if (all(is.na(rows$shown))) 0 else min(rows$shown, na.rm = TRUE)
  if (least == 1) least <- 0.99 # one color needs a scale too
  ggplot(rows, aes(.data[[across]], .data[[down]])) +
    geom_tile(aes(fill = shown), color = paper, linewidth = 1) +
    geom_text(aes(label = whole_percent(share), color = !is.na(shown) & shown > (1 + least) / 2), size = 3, na.rm = TRUE) +
    scale_color_manual(values = c(`TRUE` = ink, `FALSE` = "#ffffff"), guide = "none") +
    scale_fill_viridis_c(
      labels = percent, limits = c(least, 1), na.value = few, option = "cividis",
      name = figure$titles[["share"]], guide = wide_guide()
    ) +
    scale_y_discrete(limits = rev) +
    labs(x = NULL, y = figure$titles[[down]], subtitle = "In percent; gray: too few labels to say.") +
    theme(panel.grid.major = element_blank())
}

wide_guide <- function() guide_colorbar(barwidth = 14, barheight = 0.6, title.vjust = 1)

reliability <- function(figure, marks) {
  rows <- figure$rows[!is.na(figure$rows$share), ]
  ggplot(rows, aes(mean, share)) +
    geom_abline(slope = 1, intercept = 0, linetype = "dashed", color = soft) +
    geom_linerange(aes(ymin = low, ymax = high, color = enough)) +
    geom_point(aes(color = enough, size = n)) +
    color_of_enough() +
    scale_size_area(max_size = 5, guide = "none") +
    scale_x_continuous(labels = percent, limits = c(0, 1)) +
    share_axis(0) +
    labs(x = figure$titles[["mean"]], y = figure$titles[["share"]], subtitle = "On the dashed line: as often right as it is sure.")
}

# -- counts ---------------------------------------------------------------------------------------

confusion <- function(figure, marks) {
  keys <- c("label", "predicted")
  counts <- first_count(figure)
  rows <- figure$rows
  rows$is_right <- as.character(rows[[keys[1]]]) == as.character(rows[[keys[2]]])
  rows$wrong <- ifelse(rows$is_right | rows[[counts]] == 0, NA_real_, rows[[counts]])
  ggplot(rows, aes(.data[[keys[2]]], .data[[keys[1]]])) +
    geom_tile(aes(fill = wrong), color = paper) +
    geom_text(aes(label = ifelse(.data[[counts]] > 0, .data[[counts]], "")), size = 3, color = ink) +
    scale_fill_gradient(
      low = "#fbe9d0", high = "#D55E00", na.value = "#efece3", name = "Read wrong", guide = wide_guide()
    ) +
    scale_y_discrete(limits = rev) +
    labs(x = figure$titles[[keys[2]]], y = figure$titles[[keys[1]]]) +
    theme(panel.grid.major = element_blank())
}

some_months <- function(rows) {
  months <- sort(unique(rows$month))
  chosen <- months[unique(round(seq(1, length(months), length.out = min(MOST_MONTHS, length(months)))))]
  rows <- rows[rows$month %in% chosen, ]
  rows$panel <- factor(format(rows$month, "%B %Y"), format(chosen, "%B %Y"))
  rows
}

bins_by_month <- function(figure, marks) {
  rows <- some_months(figure$rows[!is.na(figure$rows$share), ])
  ggplot(rows) +
    geom_rect(aes(xmin = low, xmax = high, ymin = 0, ymax = share), fill = pen, color = paper, linewidth = 0.3) +
    facet_wrap(~panel) +
    scale_x_continuous(labels = percent) +
    scale_y_continuous(labels = percent) +
    labs(x = "Confidence", y = figure$titles[["share"]])
}

density_by_month <- function(figure, marks) {
  rows <- some_months(figure$rows[!is.na(figure$rows$density), ])
  ticks <- c(0, 0.5, 0.9, 0.99, 0.999, 0.9999)
  ggplot(rows, aes(-log10(1 - confidence), density, color = panel, linetype = panel)) +
    geom_line(linewidth = 0.9) +
    scale_color_manual(values = rev(c(pen, "#D55E00", "#009E73", few)[seq_len(nlevels(rows$panel))]), name = NULL) +
    scale_linetype_manual(values = rev(c("solid", "longdash", "dashed", "dotted")[seq_len(nlevels(rows$panel))]), name = NULL) +
    scale_x_continuous(breaks = -log10(1 - ticks), labels = paste0(100 * ticks, " %")) +
    labs(x = "Confidence", y = "Density", subtitle = "The area under each curve is all drawings of its month.")
}

# The quartiles and the mean.
spread <- function(figure, marks) {
  key <- keys_of(figure)[1]
  rows <- figure$rows[!is.na(figure$rows$median), ]
  wide <- if (is_time(figure, key) && nrow(rows) > MOST_TICKS) 2 else 6
  plot <- ggplot(rows, aes(.data[[key]])) +
    geom_linerange(aes(ymin = low, ymax = high), color = pen, alpha = 0.35, linewidth = wide) +
    geom_point(aes(y = median, shape = "half below"), color = pen, size = wide / 1.8) +
    geom_point(aes(y = mean, shape = "mean"), color = ink, size = wide / 2.3) +
    scale_shape_manual(values = c(`half below` = 16, mean = 4), name = NULL) +
    scale_y_continuous(labels = percent) +
    labs(x = if (is_time(figure, key)) NULL else figure$titles[[key]], y = "Confidence", subtitle = "The bar holds the middle half of the drawings.")
  if (is_time(figure, key)) plot + time_axis(rows[[key]]) else plot
}

corrections <- function(figure, marks) {
  rows <- figure$rows
  ggplot(rows, aes(day, total)) +
    geom_area(fill = pen, alpha = 0.15) +
    geom_line(color = pen, linewidth = 0.8) +
    time_axis(rows$day) +
    count_axis() +
    labs(x = NULL, y = figure$titles[["total"]])
}

headline <- function(figure, marks) {
  figure$rows$told <- reorder(factor(format(figure$rows$month, "%B %Y")), figure$rows$month)
  figure$titles[["told"]] <- ""
  share_bars(figure, marks, "told")
}

# Whole numbers, from 0 to 1 at least.
count_axis <- function() {
  scale_y_continuous(
    limits = function(limits) c(min(0, limits[1]), max(1, limits[2])),
    breaks = function(limits) unique(round(pretty(limits, 4))), labels = function(at) format(at, big.mark = ",", trim = TRUE)
  )
}

first_count <- function(figure) names(figure$units)[figure$units == "count"][1]

# Each numeral is a drawing, written as its label; a ring marks those read wrong.
clusters <- function(figure, marks) {
  rows <- figure$rows
  ggplot(rows, aes(x, y)) +
    geom_text(aes(label = label, color = label), size = 2.8) +
    geom_point(data = rows[!rows$is_right, ], aes(shape = "read wrong"), size = 4.2, stroke = 0.5, color = "#a8262d") +
    scale_color_manual(values = setNames(digit_colors, 0:9), guide = "none") +
    scale_shape_manual(values = 1, name = NULL) +
    labs(x = NULL, y = NULL, subtitle = "Each numeral is a drawing, written as its label.") +
    theme(axis.text = element_blank(), panel.grid.major = element_blank())
}

learning_curve <- function(figure, marks) {
  rows <- figure$rows
  share <- if ("share" %in% names(rows)) "share" else grep("_share$", names(rows), value = TRUE)[1]
  stem <- sub("share$", "", share)
  low <- paste0(stem, "low")
  high <- paste0(stem, "high")
  rows <- rows[!is.na(rows[[share]]), ]
  ggplot(rows, aes(labels, .data[[share]])) +
    geom_line(color = pen, linewidth = 0.6) +
    geom_errorbar(aes(ymin = .data[[low]], ymax = .data[[high]]), width = 0, color = pen) +
    geom_point(color = pen, size = 2.6) +
    geom_text(aes(label = version), vjust = -1, hjust = -0.1, size = 2.7, color = soft, check_overlap = TRUE) +
    scale_y_continuous(labels = percent, limits = c(0, NA)) +
    scale_x_continuous(expand = expansion(c(0.03, 0.15))) +
    coord_cartesian(clip = "off") +
    labs(x = figure$titles[["labels"]], y = figure$titles[[share]])
}

# For any figure: the first key on the x axis, a panel for each value column, a line for each other key.
by_columns <- function(figure, marks) {
  keys <- keys_of(figure)
  values <- setdiff(
    names(figure$units)[figure$units %in% c("count", "share, 0 to 1", "number")], c("low", "high", "right")
  )
  numeric_axis <- length(keys) == 0 || (length(values) > 1 && is_edge(values[1]))
  across <- if (numeric_axis) values[1] else keys[1]
  groups <- setdiff(keys, across)
  values <- setdiff(values, c(across, values[is_edge(values)]))
  if (!length(values)) values <- across
  long <- do.call(rbind, lapply(values, function(key) {
    data.frame(
      across = figure$rows[[across]], value = figure$rows[[key]],
      group = if (length(groups)) group_of(figure, groups) else "all",
      what = factor(figure$titles[[key]], unique(unname(figure$titles[values])))
    )
  }))
  long$group <- factor(long$group, unique(long$group))
  few_groups <- nlevels(long$group) <= length(palette_of_ten)
  plot <- ggplot(long, aes(across, value, color = group, fill = group, group = group)) +
    facet_wrap(~what, scales = "free_y") +
    labs(x = figure$titles[[across]], y = NULL, color = NULL, fill = NULL)
  plot <- if (is.factor(long$across) || nlevels(long$group) == 1 && !inherits(long$across, "Date")) {
    plot + geom_col(position = "dodge", color = NA, na.rm = TRUE)
  } else {
    plot + geom_line(linewidth = 0.8, na.rm = TRUE) + (if (nrow(figure$rows) < 60) geom_point(size = 1.4, na.rm = TRUE))
  }
  if (inherits(long$across, "Date")) {
    plot <- plot + scale_x_date(guide = guide_axis(check.overlap = TRUE)) + labs(x = NULL)
  }
  if (all(figure$units[values] == "count")) plot <- plot + count_axis()
  if (few_groups) {
    plot <- plot + scale_color_manual(values = palette_of_ten) + scale_fill_manual(values = palette_of_ten)
  }
  if (nlevels(long$group) == 1) plot + theme(legend.position = "none") else plot
}

is_edge <- function(keys) grepl("^(from|low_edge|bin|confidence|confidence_from|at|to|confidence_to)$", keys)

group_of <- function(figure, keys) {
  parts <- lapply(keys, function(key) {
    value <- figure$rows[[key]]
    if (inherits(value, "Date")) format(value, "%b %Y") else as.character(value)
  })
  do.call(paste, c(parts, sep = ", "))
}

# -- which chart ----------------------------------------------------------------------------------

charts <- list(
  "headline" = headline,
  "true-by-predicted" = confusion,
  "confidence-histogram-by-month" = bins_by_month,
  "confidence-density-by-month" = density_by_month,
  "accuracy-by-day" = share_by_day,
  "accuracy-by-month-and-digit" = period_tiles("label"),
  "replay" = period_tiles("version"),
  "confidence-by-month" = spread,
  "confidence-by-digit" = spread,
  "corrections" = corrections,
  "reliability" = reliability,
  "clusters" = clusters,
  "learning-curve" = learning_curve
)

chart_of <- function(figure, marks) {
  if (!is.null(charts[[figure$name]])) {
    return(charts[[figure$name]](figure, marks))
  }
  keys <- keys_of(figure)
  if (has_share(figure) && length(keys) == 1) {
    if (startsWith(figure$units[[keys]], "month")) {
      return(share_by_month(figure, marks, keys))
    }
    if (figure$units[[keys]] == "date") {
      return(share_by_day(figure, marks, keys))
    }
    return(share_bars(figure, marks, keys))
  }
  if (has_share(figure) && length(keys) == 2) {
    time_first <- is_time(figure, keys[2])
    return(share_tiles(figure, marks, if (time_first) keys[2] else keys[1], if (time_first) keys[1] else keys[2]))
  }
  by_columns(figure, marks)
}

empty_chart <- function() {
  ggplot() +
    annotate("text", x = 0, y = 0, label = "Nothing is counted here yet.", color = soft) +
    theme(axis.text = element_blank(), axis.title = element_blank(), panel.grid.major = element_blank())
}

wrapped <- function(text, width = 105) paste(strwrap(text, width), collapse = "\n")

# The chart with its text: title, sentence, sample and warning.
with_words <- function(plot, figure) {
  caption <- paste(c(figure$warning, figure$from)[nzchar(c(figure$warning, figure$from))], collapse = " ")
  subtitle <- paste(c(wrapped(figure$said, 88), plot$labels$subtitle), collapse = "\n")
  plot + labs(title = figure$title, subtitle = subtitle, caption = wrapped(caption))
}
