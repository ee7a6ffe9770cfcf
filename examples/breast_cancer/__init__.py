"""Three sites with skewed shares of one data set train a classifier of breast tumors."""
