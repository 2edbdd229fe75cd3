"""A company's certificate authority for tests: a root and an issuing authority, made with the openssl command."""

import subprocess


class Authority:
    def __init__(self, folder, name="Example"):
        folder.mkdir(parents=True)
        self.folder, self.count = folder, 0
        self.root, self.root_key = folder / "root.pem", folder / "root.key"
        self.issuing, self.issuing_key = folder / "issuing.pem", folder / "issuing.key"
        self.crl = folder / "issuing.crl"
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.root_key, "-out", self.root,
                     "-days", "3650", "-subj", f"/O={name}/CN={name} Root", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", self.issuing_key, "-out", folder / "issuing.csr",
                     "-subj", f"/O={name}/CN={name} Issuing")
        extensions = folder / "issuing.cnf"
        extensions.write_text("basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n")
        self.openssl("x509", "-req", "-in", folder / "issuing.csr", "-CA", self.root, "-CAkey", self.root_key,
                     "-set_serial", "2", "-days", "3650", "-extfile", extensions, "-out", self.issuing)
        (folder / "index.txt").touch()
        (folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=own\n[own]\ndatabase={folder}/index.txt\ndefault_md=sha256\ndefault_crl_days=30\n"
            f"certificate={self.issuing}\nprivate_key={self.issuing_key}\n")

    @staticmethod
    def openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, f"openssl {arguments}: {done.stderr}"
        return done.stdout

    def sign(self, request, name, *, uses="serverAuth,clientAuth", key_usage="digitalSignature,keyEncipherment", names=None,
             subject=None, days=30, digest="sha256", chain=True):
        """Signs a request (PEM text); gives the file with the certificate and, by default, its chain."""
        self.count += 1
        stem = self.folder / f"machine{self.count}"
        stem.with_suffix(".csr").write_text(request)
        lines = ["basicConstraints=critical,CA:false", f"keyUsage=critical,{key_usage}"]
        if uses:
            lines.append(f"extendedKeyUsage={uses}")
        alternative = [name] if names is None else names
        if alternative:
            lines.append("subjectAltName=" + ",".join(f"DNS:{one}" for one in alternative))
        stem.with_suffix(".cnf").write_text("\n".join(lines) + "\n")
        out = stem.with_suffix(".pem")
        self.openssl("x509", "-req", "-in", stem.with_suffix(".csr"), "-CA", self.issuing, "-CAkey", self.issuing_key,
                     "-set_serial", str(0x1A2B3C00 + self.count), f"-{digest}", "-days", days, "-extfile", stem.with_suffix(".cnf"),
                     *(["-subj", subject] if subject else []), "-out", out)
        if chain:
            out.write_text(out.read_text() + self.issuing.read_text())
        return out

    def revocation_list(self, *certificates):
        for certificate in certificates:
            self.openssl("ca", "-config", self.folder / "ca.cnf", "-revoke", certificate)
        self.openssl("ca", "-config", self.folder / "ca.cnf", "-gencrl", "-out", self.crl)
        return self.crl
