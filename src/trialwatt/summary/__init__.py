"""What each experiment shows, in one place and one vocabulary: report, page and paper render it."""
