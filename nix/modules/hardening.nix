# What a unit of ours may not do, as its serviceConfig: it opens connections, and writes where systemd makes it a folder.
{
  DynamicUser = true;
  UMask = "0077";
  NoNewPrivileges = true;
  CapabilityBoundingSet = "";
  ProtectSystem = "strict";
  ProtectHome = true;
  ProtectProc = "invisible";
  PrivateTmp = true;
  PrivateDevices = true;
  ProtectClock = true;
  ProtectHostname = true;
  ProtectKernelLogs = true;
  ProtectKernelModules = true;
  ProtectKernelTunables = true;
  ProtectControlGroups = true;
  RestrictAddressFamilies = [
    "AF_INET"
    "AF_INET6"
    "AF_UNIX" # systemd's socket for READY=1, the journal's
  ];
  RestrictNamespaces = true;
  RestrictRealtime = true;
  RestrictSUIDSGID = true;
  LockPersonality = true;
  SystemCallArchitectures = "native";
  SystemCallFilter = [ "@system-service" ];
  SystemCallErrorNumber = "EPERM"; # a program that asks for more hears of it instead of being killed
}
