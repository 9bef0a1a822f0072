"""`jupyter mlops …`: the same verbs as in the sidebar, with no Jupyter running."""
