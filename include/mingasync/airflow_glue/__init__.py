"""The only place of the product that imports Airflow, but for the console."""
