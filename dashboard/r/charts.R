# A chart for each figure of the dashboard. `charts` names the figures with their own chart; all
# others are drawn by the kinds of their columns, so a new figure needs no code here.

# -- shares ---------------------------------------------------------------------------------------

share_axis <- function(from = NA) {
  scale_y_continuous(labels = percent, limits = c(from, 1), oob = scales_keep)
}

scales_keep <- function(x, ...) x # values outside the limits are clipped, not dropped

floor_of <- function(rows) {
  lows <- rows$low[!is.na(rows$low)]
  if (!length(lows)) 0 else max(0, min(0.95, floor(min(lows) * 20) / 20))
}

promotion_marks <- function(marks, rows, key) {
  shown <- marks[marks$at >= min(rows[[key]]) & marks$at <= max(rows[[key]]) + 31, ]
  if (!nrow(shown)) {
    return(list())
  }
  list(
    geom_vline(data = shown, aes(xintercept = at), linetype = "dashed", color = soft, linewidth = 0.4),
    geom_text(
      data = shown, aes(x = at, y = 1, label = title), inherit.aes = FALSE, angle = 90, hjust = 1,
      vjust = -0.4, size = 2.7, color = soft
    )
  )
}

share_by_month <- function(figure, marks, key = "month") {
  rows <- figure$rows
  # A point covers its whole month, so it is drawn in the middle of the month.
  rows$middle <- rows[[key]] + 14
  drawn <- rows[!is.na(rows$share), ]
  ggplot(rows, aes(middle, share)) +
    promotion_marks(marks, rows, key) +
    geom_line(color = pen, linewidth = 0.8, na.rm = TRUE) +
    geom_errorbar(data = drawn, aes(ymin = low, ymax = high, color = enough), width = 5) +
    geom_point(data = drawn, aes(color = enough), size = 3) +
    geom_text(data = drawn, aes(y = low, label = paste("n =", n)), vjust = 1.6, size = 3, color = soft) +
    color_of_enough() +
    scale_x_date(date_labels = "%b %Y", breaks = rows$middle) +
    share_axis(max(0, floor_of(drawn) - 0.05)) +
    labs(x = NULL, y = figure$titles[["share"]])
}

share_by_day <- function(figure, marks, key = "day") {
  rows <- figure$rows
  drawn <- rows[!is.na(rows$share), ]
  ggplot(rows, aes(.data[[key]], share)) +
    promotion_marks(marks, rows, key) +
    geom_linerange(data = drawn, aes(ymin = low, ymax = high), color = pen, alpha = 0.25, linewidth = 1.2) +
    geom_line(color = pen, linewidth = 0.5, na.rm = TRUE) +
    geom_point(data = drawn, aes(color = enough), size = 1.4) +
    color_of_enough() +
    scale_x_date(date_labels = "%b %d") +
    share_axis(floor_of(drawn)) +
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

share_pie <- function(figure, marks) {
  drawn <- figure$rows[!is.na(figure$rows$share), ]
  drawn$digit <- drawn[[keys_of(figure)[1]]]
  ggplot(drawn, aes("", share, fill = digit)) +
    geom_col(width = 1, color = paper) +
    geom_text(aes(x = 1.65, label = digit), position = position_stack(vjust = 0.5), color = ink, size = 4) +
    coord_polar("y") +
    scale_fill_manual(values = palette_of_ten, guide = "none") +
    labs(x = NULL, y = NULL, subtitle = "Nobody can tell 96 from 98 here: the bars say the same better.") +
    theme(axis.text = element_blank(), panel.grid = element_blank())
}

share_tiles <- function(figure, marks, across, down) {
  rows <- figure$rows
  if (is_time(figure, across)) {
    rows[[across]] <- factor(format(rows[[across]], "%b %Y"), unique(format(sort(rows[[across]]), "%b %Y")))
  }
  rows$shown <- ifelse(!is.na(rows$enough) & rows$enough, rows$share, NA_real_)
  ggplot(rows, aes(.data[[across]], .data[[down]])) +
    geom_tile(aes(fill = shown), color = paper, linewidth = 1) +
    geom_text(aes(label = whole_percent(share), color = !is.na(shown) & shown > (1 + floor_of(rows)) / 2), size = 3, na.rm = TRUE) +
    scale_color_manual(values = c(`TRUE` = ink, `FALSE` = "#ffffff"), guide = "none") +
    scale_fill_viridis_c(
      labels = percent, limits = c(floor_of(rows), 1), na.value = few, option = "cividis",
      name = figure$titles[["share"]], guide = wide_guide()
    ) +
    scale_y_discrete(limits = rev) +
    labs(x = NULL, y = figure$titles[[down]], subtitle = "In percent; gray: too few labels to say.") +
    theme(panel.grid = element_blank())
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
    theme(panel.grid = element_blank())
}

# Bars between the edges of bins, which may have different widths; a panel for each month.
bins_by_month <- function(figure, marks) {
  rows <- figure$rows
  height <- intersect(c("density", "share"), names(rows))[1]
  rows$panel <- factor(format(rows$month, "%B %Y"), unique(format(sort(rows$month), "%B %Y")))
  ggplot(rows[!is.na(rows[[height]]), ]) +
    # Bins that are a thousandth wide are visible only with a border.
    geom_rect(aes(xmin = low, xmax = high, ymin = 0, ymax = .data[[height]]), fill = pen, color = pen, linewidth = 0.3) +
    facet_wrap(~panel) +
    scale_x_continuous(labels = percent) +
    (if (height == "share") scale_y_continuous(labels = percent) else scale_y_sqrt()) +
    labs(x = "Confidence", y = figure$titles[[height]])
}

# The quartiles and the mean.
spread <- function(figure, marks) {
  key <- keys_of(figure)[1]
  rows <- figure$rows[!is.na(figure$rows$median), ]
  rows$across <- rows[[key]]
  if (is_time(figure, key)) {
    rows$across <- factor(format(rows$across, "%b %Y"), unique(format(sort(rows$across), "%b %Y")))
  }
  ggplot(rows, aes(across)) +
    geom_linerange(aes(ymin = low, ymax = high), color = pen, alpha = 0.35, linewidth = 6) +
    geom_point(aes(y = median, shape = "half below"), color = pen, size = 3.4) +
    geom_point(aes(y = mean, shape = "mean"), color = ink, size = 2.6) +
    scale_shape_manual(values = c(`half below` = 16, mean = 4), name = NULL) +
    scale_y_continuous(labels = percent) +
    labs(x = figure$titles[[key]], y = "Confidence", subtitle = "The bar holds the middle half of the drawings.")
}

corrections <- function(figure, marks) {
  rows <- figure$rows
  ggplot(rows, aes(day, total)) +
    geom_area(fill = pen, alpha = 0.15) +
    geom_line(color = pen, linewidth = 0.8) +
    geom_col(aes(y = new), fill = "#E69F00", width = 0.9) +
    scale_x_date(date_labels = "%b %d") +
    labs(x = NULL, y = figure$titles[["total"]], subtitle = "Orange: new on that day.")
}

headline <- function(figure, marks) share_bars(figure, marks, "tile")

first_count <- function(figure) names(figure$units)[figure$units == "count"][1]

clusters <- function(figure, marks) {
  ggplot(figure$rows, aes(x, y, color = label, shape = is_right)) +
    geom_point(size = 1.6, alpha = 0.85) +
    scale_color_manual(values = setNames(palette_of_ten, 0:9), drop = TRUE, name = "Label") +
    scale_shape_manual(values = c(`TRUE` = 16, `FALSE` = 4), labels = c(`TRUE` = "right", `FALSE` = "wrong"), name = "Read") +
    coord_equal() +
    labs(x = NULL, y = NULL) +
    theme(axis.text = element_blank())
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
    geom_text(aes(label = version), vjust = -1, size = 2.7, color = soft, check_overlap = TRUE) +
    scale_y_continuous(labels = percent) +
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
    plot + geom_line(linewidth = 0.8, na.rm = TRUE) + geom_point(size = 1.4, na.rm = TRUE)
  }
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
  "confidence-density-by-month" = bins_by_month,
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
    theme(axis.text = element_blank(), axis.title = element_blank(), panel.grid = element_blank())
}

wrapped <- function(text, width = 105) paste(strwrap(text, width), collapse = "\n")

# The chart with its text: title, sentence, sample and warning.
with_words <- function(plot, figure) {
  caption <- paste(c(figure$warning, figure$from)[nzchar(c(figure$warning, figure$from))], collapse = " ")
  subtitle <- paste(c(wrapped(figure$said, 88), plot$labels$subtitle), collapse = "\n")
  plot + labs(title = figure$title, subtitle = subtitle, caption = wrapped(caption))
}
