"""The demos: every system of the tutorial as an actor, on one server (`make demo`).

server         the application: pages and routes       static/    the pages
echo           /ws and /ws/advanced                    chat       /ws/chat/{client_id}
notifications  /ws/thread-safe/{client_id}             dual       /ws/simple/{client_id}
ticker         the background thread of the last two
"""
