"""The peers: the same endpoints on what one might take instead of Greenroom.

The extra `bench` installs their packages, which the project needs for nothing else: so the type
checkers pass them by, and a benchmark leaves out whom it does not find.

====================  ==========================================================================
``fastapi_best``      FastAPI as fast as one gets it by hand
``litestar_app``      Litestar: WebSocket listeners; rooms by its channels plugin, in memory
``socketio_app``      python-socketio, over the WebSocket alone
``channels_app``      Django Channels: consumers; rooms by the channel layer in memory
``picows_alone``      picows: a server without ASGI, without JSON
``pykka_actors``      Pykka: an actor in a thread
====================  ==========================================================================
"""
