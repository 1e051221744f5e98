"""Ships an order and inserts the news of it in one transaction: python insert_news.py DSN ORDER ORGANIZATION.

`pip install psycopg2-binary`. docs/outbox.md tells how the table comes about. Were the transaction
rolled back, nothing would be published; once it is committed, nothing keeps the news from coming.
"""

import sys

import psycopg2
from psycopg2.extras import Json

dsn, order, organization = sys.argv[1:]

connection = psycopg2.connect(dsn)
with connection, connection.cursor() as cursor:  # commits at its end, or rolls back
    cursor.execute("UPDATE orders SET state = 'shipped' WHERE id = %s", (order,))
    cursor.execute(
        "INSERT INTO wampgate_outbox (topic, kwargs) VALUES (%s, %s)",
        (f"organization.{organization}", Json({"order": order, "state": "shipped"})),
    )
connection.close()
print("committed")
