#!/usr/bin/python3
"""Turn the tfjs graph models of the networks into the ONNX files of this folder.

    python3 convert.py SOURCE-DIR TARGET-DIR

SOURCE-DIR holds the .json and .bin files of each network. The graphs are
feed-forward and made of a dozen operations, so each one is written down as the
ONNX operation that OpenCV 4.6 reads; anything else stops the conversion.
Pictures go from NHWC to NCHW, weights are rounded to half floats.

Needs Debian's python3-onnx and python3-numpy.
"""
import base64
import gzip
import json
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# File: the model, the outputs of its graph in the order wanted, and where its
# input enters: the graph's own beginning, or a tensor inside of it.
FUNCTION = "StatefulPartitionedCall/functional_1/"
SAMPLER = FUNCTION + "transform_tensor_bilinear_v2%s/SpatialTransformer/transform/Reshape_5"


def attention(head, outputs):
    """One head of the mesh: it sees 16×16 cells of the features, cut out around its part of the face."""
    return "facemesh-attention", [FUNCTION + o + "/BiasAdd" for o in outputs], SAMPLER % head, (32, 16, 16)


NETWORKS = {
    # Scores and boxes of the 16×16 grid, then of the 8×8 grid.
    "detector.onnx.gz": ("blazeface", ["Identity", "Identity_2", "Identity_1", "Identity_3"], "input", (3, 256, 256)),
    # 468 points, whether there is a face, and the features for the heads. OpenCV
    # has no operation for where the heads look, so the heads are networks apart.
    "mesh.onnx.gz": ("facemesh-attention", [
        FUNCTION + "output_mesh/BiasAdd", FUNCTION + "activation_faceflag/Sigmoid", FUNCTION + "p_re_lu_3/Relu",
    ], "input_1", (3, 192, 192)),
    "lips.onnx.gz": attention("", ["conv_lips"]),
    "lefteye.onnx.gz": attention("_1", ["conv_left_eye", "conv_left_iris"]),
    "righteye.onnx.gz": attention("_2", ["conv_right_eye", "conv_right_iris"]),
    "person.onnx.gz": ("selfie", ["activation_10"], "input_1", (3, 256, 256)),
}
KINDS = {"float32": np.float32, "int32": np.int32, "float16": np.float16}


def load(stem):
    with open(stem + ".json") as f:
        model = json.load(f)
    weights = {}
    for group in model["weightsManifest"]:
        raw = b"".join(open(os.path.join(os.path.dirname(stem), p), "rb").read() for p in group["paths"])
        at = 0
        for w in group["weights"]:
            kind = KINDS[(w.get("quantization") or w)["dtype"]]
            n = int(np.prod(w["shape"])) if w["shape"] else 1
            a = np.frombuffer(raw, kind, n, at).reshape(w["shape"])
            at += n * np.dtype(kind).itemsize
            weights[w["name"]] = a.astype(np.float32) if w["dtype"] == "float32" else a
        if at != len(raw):
            sys.exit(f"{stem}: {len(raw)} bytes of weights, {at} described")
    return model["modelTopology"]["node"], weights


class Graph:
    """One network on its way from tfjs to ONNX."""

    def __init__(self, nodes):
        self.nodes, self.inits = [], []
        self.shape = {}  # tensor → (channels, height, width)
        self.users = {}
        for n in nodes:
            for i in n.get("input", []):
                self.users.setdefault(i.split(":")[0], []).append(n["name"])
        self.count = 0

    def name(self, hint="t"):
        self.count += 1
        return f"{hint}{self.count}"

    def const(self, a, half=True):
        a = np.ascontiguousarray(a)
        if a.dtype == np.float32 and half:
            # OpenCV 4.6 does not read half floats; rounded to them, what is kept
            # packs into as little, and is what most models were published with.
            a = a.astype(np.float16).astype(np.float32)
        n = self.name("w")
        self.inits.append(numpy_helper.from_array(a, n))
        return n

    def emit(self, op, inputs, shape, **attrs):
        out = self.name()
        self.nodes.append(helper.make_node(op, inputs, [out], out, **attrs))
        self.shape[out] = shape
        return out

    def pad(self, x, kernel, stride, same):
        """TensorFlow's SAME is uneven; what is even stays with the operation."""
        c, h, w = self.shape[x]
        if not same:
            return x, [0, 0, 0, 0]
        def side(n, k, s):
            total = max((-(-n // s) - 1) * s + k - n, 0)
            return total // 2, total - total // 2
        (t, b), (l, r) = side(h, kernel[0], stride[0]), side(w, kernel[1], stride[1])
        if t == b and l == r:
            return x, [t, l, b, r]
        p = self.const(np.array([0, 0, t, l, 0, 0, b, r], np.int64))
        return self.emit("Pad", [x, p], (c, h + t + b, w + l + r), mode="constant"), [0, 0, 0, 0]

    def conv(self, x, weight, bias, stride, same):
        """weight: (out, in/group, kh, kw)"""
        kernel = weight.shape[2:]
        group = self.shape[x][0] // weight.shape[1]
        x, pads = self.pad(x, kernel, stride, same)
        c, h, w = self.shape[x]
        oh = (h + pads[0] + pads[2] - kernel[0]) // stride[0] + 1
        ow = (w + pads[1] + pads[3] - kernel[1]) // stride[1] + 1
        ins = [x, self.const(weight)]
        if bias is not None:
            ins.append(self.const(bias))
        return self.emit("Conv", ins, (weight.shape[0], oh, ow), kernel_shape=list(kernel),
                         strides=list(stride), pads=pads, group=group)

    def act(self, x, op):
        return self.emit(op, [x], self.shape[x])

    def prelu(self, x, slope):
        c = self.shape[x][0]
        return self.emit("PRelu", [x, self.const(slope.reshape(c, 1, 1))], self.shape[x])


def attr(n, key, default=None):
    a = n.get("attr", {}).get(key)
    if a is None:
        return default
    if "list" in a:
        return [int(i) for i in a["list"].get("i", [])] or [base64.b64decode(s).decode() for s in a["list"].get("s", [])]
    if "s" in a:
        return base64.b64decode(a["s"]).decode()
    return a.get("i", a.get("b", a.get("f")))


def convert(nodes, weights, wanted, entry, shape):
    nodes = needed(nodes, wanted, entry)
    g = Graph(nodes)
    t = {entry: "input"}  # tfjs node → ONNX tensor
    g.shape["input"] = shape
    scalar = lambda i: i in weights and weights[i].size == 1
    byname = {n["name"]: n for n in nodes}
    # A bias added after a convolution belongs to it.
    bias = {}
    for n in nodes:
        if n["op"] in ("Add", "AddV2"):
            a, b = n["input"]
            if b in weights and weights[b].ndim == 1 and weights[b].size > 1 and byname[a]["op"] in (
                    "Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput") and len(g.users[a]) == 1:
                bias[a] = n["name"]

    def taken(n):
        if n["name"] in bias:
            return weights[byname[bias[n["name"]]]["input"][1]]
        return None

    for n in nodes:
        op, name = n["op"], n["name"]
        ins = [i.split(":")[0] for i in n.get("input", [])]
        same = attr(n, "padding") == "SAME"
        stride = (attr(n, "strides") or [1, 1, 1, 1])[1:3]
        if op == "Const" or name == entry:
            continue
        if op in ("Conv2D", "_FusedConv2D"):
            w = weights[ins[1]].transpose(3, 2, 0, 1)
            fused = attr(n, "fused_ops", []) if op == "_FusedConv2D" else []
            b = weights[ins[2]].reshape(-1) if "BiasAdd" in fused else taken(n)
            x = g.conv(t[ins[0]], w, b, stride, same)
            for f in fused:
                if f == "Relu":
                    x = g.act(x, "Relu")
                elif f == "Prelu":
                    x = g.prelu(x, weights[ins[3]])
                elif f != "BiasAdd":
                    sys.exit(f"{name}: fused {f}")
            t[name] = x
        elif op == "DepthwiseConv2dNative":
            kh, kw, c, m = weights[ins[1]].shape
            w = weights[ins[1]].transpose(2, 3, 0, 1).reshape(c * m, 1, kh, kw)
            t[name] = g.conv(t[ins[0]], w, taken(n), stride, same)
        elif op == "Conv2DBackpropInput":
            w = weights[ins[1]]  # kh, kw, out, in
            c, h, wd = g.shape[t[ins[2]]]
            if list(w.shape[:2]) != stride:
                sys.exit(f"{name}: overlapping transposed convolution")
            b = taken(n)
            args = [t[ins[2]], g.const(w.transpose(3, 2, 0, 1))] + ([g.const(b)] if b is not None else [])
            t[name] = g.emit("ConvTranspose", args, (w.shape[2], h * stride[0], wd * stride[1]),
                             kernel_shape=list(w.shape[:2]), strides=stride, pads=[0, 0, 0, 0])
        elif op in ("Add", "AddV2", "AddN"):
            a, b = ins
            if bias.get(a) == name:
                t[name] = t[a]
                continue
            if a in weights:
                a, b = b, a
            if b in weights:
                v = weights[b]
                if v.size == 1:
                    x = g.emit("Add", [t[a], g.const(v.reshape(()), False)], g.shape[t[a]])
                else:
                    # A constant per channel: a depthwise convolution by one.
                    c = g.shape[t[a]][0]
                    x = g.conv(t[a], np.ones((c, 1, 1, 1), np.float32), v.reshape(c), [1, 1], False)
                t[name] = x
            else:
                t[name] = g.emit("Add", [t[a], t[b]], g.shape[t[a]])
        elif op == "Mul":
            a, b = ins
            if a in weights:
                a, b = b, a
            if scalar(b):
                t[name] = g.emit("Mul", [t[a], g.const(weights[b].reshape(()), False)], g.shape[t[a]])
            else:
                if g.shape[t[a]][1] < g.shape[t[b]][1]:
                    a, b = b, a
                t[name] = g.emit("Mul", [t[a], t[b]], g.shape[t[a]])
        elif op == "Prelu":
            t[name] = g.prelu(t[ins[0]], weights[ins[1]])
        elif op in ("Relu", "Sigmoid"):
            t[name] = g.act(t[ins[0]], op)
        elif op == "Relu6":
            # OpenCV 4.6 reads no Clip with its limits as inputs.
            x = g.emit("HardSigmoid", [t[ins[0]]], g.shape[t[ins[0]]], alpha=1 / 6, beta=0.0)
            t[name] = g.emit("Mul", [x, g.const(np.float32(6).reshape(()), False)], g.shape[x])
        elif op == "MaxPool":
            k = attr(n, "ksize")[1:3]
            c, h, w = g.shape[t[ins[0]]]
            if k != stride or h % k[0] or w % k[1]:
                sys.exit(f"{name}: pool {k} by {stride} of {h}x{w}")
            t[name] = g.emit("MaxPool", [t[ins[0]]], (c, h // k[0], w // k[1]), kernel_shape=k, strides=stride)
        elif op == "AvgPool":
            c, h, w = g.shape[t[ins[0]]]
            if attr(n, "ksize")[1:3] != [h, w]:
                sys.exit(f"{name}: not a global mean")
            t[name] = g.emit("GlobalAveragePool", [t[ins[0]]], (c, 1, 1))
        elif op == "Pad":
            p = weights[ins[1]]  # N, H, W, C × before, after
            p = p[[0, 3, 1, 2]]
            c, h, w = g.shape[t[ins[0]]]
            s = (c + p[1].sum(), h + p[2].sum(), w + p[3].sum())
            v = g.const(np.concatenate([p[:, 0], p[:, 1]]).astype(np.int64))
            t[name] = g.emit("Pad", [t[ins[0]], v], tuple(int(i) for i in s), mode="constant")
        elif op == "ResizeBilinear":
            h, w = [int(i) for i in weights[ins[1]].reshape(-1)]
            c, h0, w0 = g.shape[t[ins[0]]]
            if attr(n, "align_corners"):
                mode = "align_corners"
            elif attr(n, "half_pixel_centers"):
                mode = "half_pixel"
            else:
                mode = "asymmetric"
            size = g.const(np.array([1, c, h, w], np.int64))
            t[name] = g.emit("Resize", [t[ins[0]], "", "", size], (c, h, w), mode="linear",
                             coordinate_transformation_mode=mode)
        elif op in ("Identity", "Reshape"):
            t[name] = t[ins[0]]
        else:
            sys.exit(f"{name}: no {op} here")
    return g, t


def needed(nodes, wanted, entry):
    """The nodes between the entry and what is wanted, each after those it reads."""
    done, order, byname = set(), [], {n["name"]: n for n in nodes}

    def visit(n):
        stack = [(n, False)]
        while stack:
            n, ready = stack.pop()
            if n["name"] in done:
                continue
            if ready:
                done.add(n["name"])
                order.append(n)
                continue
            stack.append((n, True))
            if n["name"] == entry:
                continue
            for i in n.get("input", []):
                m = byname.get(i.split(":")[0])
                if m is not None and m["name"] not in done:
                    stack.append((m, False))
    for name in wanted:
        visit(byname[name])
    return order


def main():
    source, target = sys.argv[1:]
    for file, (stem, names, entry, shape) in NETWORKS.items():
        nodes, weights = load(os.path.join(source, stem))
        g, outs = convert(nodes, weights, names, entry, shape)
        # One output: every value asked for, channel by channel, in this order.
        # OpenCV runs the whole network again for each output it is asked for.
        flat = [g.emit("Reshape", [outs[n], g.const(np.array([1, -1], np.int64))], (int(np.prod(g.shape[outs[n]])),))
                for n in names]
        size = sum(g.shape[f][0] for f in flat)
        if len(flat) > 1:
            g.nodes.append(helper.make_node("Concat", flat, ["output"], "output", axis=1))
        else:
            g.nodes[-1].output[0] = "output"
        c, h, w = g.shape["input"]
        graph = helper.make_graph(
            g.nodes, stem,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, c, h, w])],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, size])],
            g.inits)
        model = helper.make_model(graph, producer_name="yunzhao", opset_imports=[helper.make_opsetid("", 13)])
        path = os.path.join(target, file)
        with open(path, "wb") as f, gzip.GzipFile("", "wb", 9, f, 0) as z:
            z.write(model.SerializeToString())
        print(f"{file}: {os.path.getsize(path)} bytes, {c}x{h}x{w} to {[g.shape[outs[n]] for n in names]}")


main()
