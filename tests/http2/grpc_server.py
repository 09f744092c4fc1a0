"""A server of gRPC whose messages are plain bytes; arguments: none, or a certificate chain and its key. It prints its
port, then a line for whatever happens to it."""

import sys
import threading
from concurrent import futures

import grpc

LIMITS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
CROWD = 100

barrier = threading.Barrier(CROWD)


def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def unary(message, context):
    context.set_trailing_metadata((("x-sum", str(len(message))),))
    return message


def with_metadata(message, context):
    given = sorted((key, value) for key, value in context.invocation_metadata() if key.startswith("x-"))
    context.send_initial_metadata((("x-first", "one"), ("x-bytes-bin", b"\x00\xff")))
    context.set_trailing_metadata((("x-last", "two"), ("x-bytes-bin", b"\xff\x00")))
    return repr(given).encode()


def packed(message, context):
    context.set_compression(grpc.Compression.Gzip)
    return message


def down(message, _):
    for number in range(5):
        yield message + b" %d" % number


def up(messages, _):
    return b"|".join(messages)


def turns(messages, _):
    for message in messages:
        yield message


def refused(message, context):
    context.set_trailing_metadata((("x-why", "no"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: caf\u00e9")


def cut(message, context):
    yield message
    context.abort(grpc.StatusCode.DATA_LOSS, "in the midst")


def wait(message, context):
    ended = threading.Event()

    def end():
        say("cancelled", message.decode())
        ended.set()

    context.add_callback(end)
    say("waiting", message.decode())
    yield message
    ended.wait()


def together(message, _):
    barrier.wait()
    return message


METHODS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Metadata": grpc.unary_unary_rpc_method_handler(with_metadata),
    "Packed": grpc.unary_unary_rpc_method_handler(packed),
    "Down": grpc.unary_stream_rpc_method_handler(down),
    "Up": grpc.stream_unary_rpc_method_handler(up),
    "Turns": grpc.stream_stream_rpc_method_handler(turns),
    "Refused": grpc.unary_unary_rpc_method_handler(refused),
    "Cut": grpc.unary_stream_rpc_method_handler(cut),
    "Wait": grpc.unary_stream_rpc_method_handler(wait),
    "Together": grpc.unary_unary_rpc_method_handler(together),
}

server = grpc.server(futures.ThreadPoolExecutor(max_workers=CROWD + 10), options=LIMITS)
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", METHODS),))
if len(sys.argv) > 1:
    chain, key = (open(path, "rb").read() for path in sys.argv[1:])
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
else:
    port = server.add_insecure_port("127.0.0.1:0")
server.start()
say(port)
server.wait_for_termination()
